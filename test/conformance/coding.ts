// A client's side of a compressed stream, by node:zlib and at once: what is sent is compressed, what comes is inflated.

import zlib from 'node:zlib'
import { Coder, type ZlibStream } from '../../lib/engine/portable/compress/coder.js'

export type Method = 'zlib' | 'gzip' | 'brotli' | 'zstd'

type Makes = (options?: zlib.ZlibOptions & zlib.BrotliOptions) => ZlibStream
export type Codes = (data: string | Uint8Array, options?: zlib.ZlibOptions) => Buffer
interface Zstd {
  createZstdCompress: Makes
  createZstdDecompress: Makes
  zstdCompressSync: Codes
  zstdDecompressSync: Codes
}
/** Node 22.15 and later know it; what an older one has here are no functions. */
export const zstd = zlib as unknown as Zstd
export const hasZstd = 'zstdCompressSync' in zlib

const { constants } = zlib
const MAKE: Record<Method, readonly [Makes, Makes]> = {
  zlib: [zlib.createDeflate, zlib.createInflate],
  gzip: [zlib.createGzip, zlib.createGunzip],
  brotli: [zlib.createBrotliCompress, zlib.createBrotliDecompress],
  zstd: [zstd.createZstdCompress, zstd.createZstdDecompress],
}
const DEFLATE = [constants.Z_SYNC_FLUSH, constants.Z_FINISH] as const
const OPERATIONS = {
  zlib: DEFLATE,
  gzip: DEFLATE,
  brotli: [constants.BROTLI_OPERATION_FLUSH, constants.BROTLI_OPERATION_FINISH],
  zstd: [1, 2], // ZSTD_e_flush, ZSTD_e_end
} as const
const ROOM_BYTES = 64 * 1024
const NOTHING = Buffer.alloc(0)

/** The next of a stream of node:zlib. */
function run(coder: Coder, flush: number, input: Buffer): Buffer {
  const made: Buffer[] = []
  for (let at = 0, last = ROOM_BYTES; last === ROOM_BYTES; at += coder.used) {
    const room = Buffer.alloc(ROOM_BYTES)
    if (!coder.step(flush, input, at, room)) throw new Error('this is no such stream')
    last = coder.made
    made.push(room.subarray(0, last))
  }
  return Buffer.concat(made)
}

export class Coding {
  private readonly encoder: Coder
  private readonly decoder: Coder
  private readonly flush: number
  private readonly end: number

  /** @param params of what it sends, as node:zlib calls them */
  constructor(method: Method, params: Record<number, number> = {}) {
    const [encoder, decoder] = MAKE[method]
    this.encoder = new Coder(encoder({ params }))
    this.decoder = new Coder(decoder())
    ;[this.flush, this.end] = OPERATIONS[method]
  }

  encode(data: string | Uint8Array): Buffer {
    return run(this.encoder, this.flush, Buffer.from(data as string))
  }

  finish(data: string | Uint8Array = ''): Buffer {
    return run(this.encoder, this.end, Buffer.from(data as string))
  }

  /** Throws where it is no such stream. */
  decode(chunk: Buffer): Buffer {
    return run(this.decoder, this.flush, chunk)
  }

  /** Throws where the stream has not come to its end. */
  isWhole(): boolean {
    run(this.decoder, this.end, NOTHING)
    return true
  }
}
