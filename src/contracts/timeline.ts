/** On every answer of `GET /v1/events`: another value means another data folder, whose numbers mean other events. */
export const TIMELINE_HEADER = 'x-vipswap-timeline'
