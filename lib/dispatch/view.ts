// Buffers on the engine's slab, and reading text from it: what every request pays for. A plain
// subarray() costs 150 ns, Buffer.from(memory, …) 110 ns, the constructor behind Buffer 43 ns.

/** Whether anybody may keep bytes of the slab: set where a view is made, cleared by each turn. */
export const slabUse = { kept: false }

/** The parts of Buffer.prototype that skip the argument checks of toString() and write(). */
export interface RawBuffer extends Buffer {
  latin1Slice(start: number, end: number): string
  asciiSlice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
  hexSlice(start: number, end: number): string
  base64Slice(start: number, end: number): string
  latin1Write(text: string, offset: number, length: number): number
  utf8Write(text: string, offset: number, length: number): number
}

type ViewConstructor = new (memory: ArrayBufferLike, offset: number, length: number) => Buffer

/** Buffer.from() for where the constructor cannot be had; `new` returns what it returns. */
const slowView = ((memory: ArrayBuffer, offset: number, length: number): Buffer =>
  Buffer.from(memory, offset, length)) as unknown as ViewConstructor

const species: unknown = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species]

/**
 * `new View(memory, offset, length)` is a Buffer on `memory` in every respect: Node's own constructor,
 * which Buffer[Symbol.species] names, used without the checks of Buffer.from().
 * @example
 * new View(new ArrayBuffer(8), 2, 4).length // 4
 */
export const View: ViewConstructor =
  typeof species === 'function' && species.prototype === Buffer.prototype
    ? (species as ViewConstructor)
    : slowView
