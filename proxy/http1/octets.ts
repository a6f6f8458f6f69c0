// Methods of Buffer that Node has always had and its types leave out: half the cost of toString() for short slices.
declare global {
  interface Buffer {
    latin1Slice(start: number, end: number): string
    hexSlice(start: number, end: number): string
    latin1Write(text: string, at: number): number
  }
}

export {}
