import { Type } from 'typebox'
import { MarkBody, MAX_POINTS } from '../../contracts/traffic.ts'
import { GET_SERIES, GET_TRAFFIC, LIST_MARKS, MAKE_MARK } from '../calls/traffic.ts'
import { CountText, ServiceParams, findService, type AdminApp, type AdminContext } from '../context.ts'

const PATH = '/v1/services/:service/traffic'
const ViewQuery = Type.Object({ since: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })) })
const SeriesQuery = Type.Object({ seconds: Type.Optional(CountText), after: Type.Optional(CountText) })

/** What was counted: since a mark, and by the second. */
export function trafficRoutes(app: AdminApp, { api }: AdminContext): void {
  const params = ServiceParams
  app.get(
    PATH,
    { config: { call: GET_TRAFFIC }, schema: { params, querystring: ViewQuery } },
    async ({ params: { service }, query }) => api.traffic(findService(api, service).name, query.since ?? null),
  )
  app.get(`${PATH}/marks`, { config: { call: LIST_MARKS }, schema: { params } }, ({ params: { service } }) => ({
    marks: api.marks(findService(api, service).name),
  }))
  app.post(
    `${PATH}/marks`,
    { config: { call: MAKE_MARK }, schema: { params, body: MarkBody } },
    async ({ params: { service }, body }, reply) => {
      const mark = await api.mark(findService(api, service).name, body.label ?? null)
      reply.code(201)
      return mark
    },
  )
  app.get(
    `${PATH}/series`,
    { config: { call: GET_SERIES }, schema: { params, querystring: SeriesQuery } },
    ({ params: { service }, query }) => {
      const seconds = query.seconds === undefined ? MAX_POINTS : Math.min(MAX_POINTS, Number(query.seconds))
      return api.trafficSeries(findService(api, service).name, seconds, Number(query.after ?? 0))
    },
  )
}
