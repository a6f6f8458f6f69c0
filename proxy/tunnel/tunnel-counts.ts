/** What tunnels (after 101, and tcp endpoints) carried in one data plane since it began. Bytes are exact up to 2^53. */
export class TunnelCounts {
  /** Open now. */
  open = 0
  /** Payload towards instances, and towards clients. */
  toInstance = 0
  toClient = 0
}
