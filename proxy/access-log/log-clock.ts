const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/** The time as logs have it, always UTC; made anew once a second. */
export class LogClock {
  #second = -1
  #iso = ''
  #common = ''

  /** `2000-10-10T13:55:36.042Z` */
  iso(now: number): string {
    this.#turn(now)
    const ms = now % 1000
    return `${this.#iso}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`
  }

  /** `[10/Oct/2000:13:55:36 +0000]` */
  common(now: number): string {
    this.#turn(now)
    return this.#common
  }

  #turn(now: number): void {
    const second = Math.floor(now / 1000)
    if (second === this.#second) return
    this.#second = second
    const text = new Date(second * 1000).toISOString()
    this.#iso = text.slice(0, 20)
    const month = MONTHS[Number(text.slice(5, 7)) - 1] ?? ''
    this.#common = `[${text.slice(8, 10)}/${month}/${text.slice(0, 4)}:${text.slice(11, 19)} +0000]`
  }
}
