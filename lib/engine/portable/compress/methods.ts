// The methods of compression as node:zlib has them. What a method is, and its usual settings, is what native/compress/
// says, too.

import zlib, {
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createDeflate,
  createGzip,
  createInflate,
  createInflateRaw,
} from 'node:zlib'
import type { CompressMethod, CompressOptions } from '../../engine.js'
import { Coder, type ZlibStream } from './coder.js'
import { type Decoder, GzipDecoder, PlainDecoder } from './decoder.js'
import { isZstdFrame, ZstdDecoder } from './zstd.js'

export interface Method {
  encoder(options: CompressOptions): Coder
  decoder(options: CompressOptions): Decoder
  /** What node:zlib calls the end of a turn, and of the stream. */
  flush: number
  finish: number
  /** Whether a further stream may stand behind one, and begin with this byte. */
  joins(first: number): boolean
  /** Whether zeros may stand behind the last one. */
  pads: boolean
}

const zlibOptions = ({ level, window, memory }: CompressOptions) => ({
  level,
  windowBits: window === 0 ? constants.Z_MAX_WINDOWBITS : window,
  memLevel: memory === 0 ? constants.Z_DEFAULT_MEMLEVEL : memory,
})

const DEFLATE = { flush: constants.Z_SYNC_FLUSH, finish: constants.Z_FINISH }
/** zstd.h: ZSTD_EndDirective, ZSTD_cParameter and ZSTD_dParameter; and what native/compress/zstd_codec.cc begins with. */
const ZSTD = {
  operation: { flush: 1, end: 2 },
  encoder: { level: 100, window: 101 },
  decoder: { largest: 100 },
  usual: { level: 3, window: 18, largest: 23 },
} as const
const BROTLI = { level: 4, window: 18, largest: 24 } as const

type MakesZstd = (options: { params: Record<number, number> }) => ZlibStream

/** Node 22.15 and later have it, which the types of an older one do not know. */
const zstd = () =>
  zlib as unknown as Record<'createZstdCompress' | 'createZstdDecompress', MakesZstd>

/** The window that a brotli stream begins with (RFC 7932, 9.1), from its first byte; 0: one beyond that. */
function brotliWindow(first: number): number {
  if ((first & 1) === 0) return 16
  if ((first & 0x0e) !== 0) return 17 + ((first >> 1) & 7)
  const bits = (first >> 4) & 7
  if (bits === 1) return 0
  return bits === 0 ? 17 : 8 + bits
}

const METHODS: Record<CompressMethod, Method> = {
  zlib: {
    ...DEFLATE,
    encoder: (options) => new Coder(createDeflate(zlibOptions(options))),
    decoder: () => new PlainDecoder(new Coder(createInflate()), constants.Z_FINISH),
    joins: () => false,
    pads: false,
  },
  gzip: {
    ...DEFLATE,
    encoder: (options) => new Coder(createGzip(zlibOptions(options))),
    decoder: () => new GzipDecoder(new Coder(createInflateRaw())),
    joins: (first) => first === 0x1f,
    pads: true,
  },
  brotli: {
    flush: constants.BROTLI_OPERATION_FLUSH,
    finish: constants.BROTLI_OPERATION_FINISH,
    encoder: ({ level, window }) =>
      new Coder(
        createBrotliCompress({
          params: {
            [constants.BROTLI_PARAM_QUALITY]: level < 0 ? BROTLI.level : level,
            [constants.BROTLI_PARAM_LGWIN]: window === 0 ? BROTLI.window : window,
          },
        }),
      ),
    decoder: ({ inflateWindow }) => {
      const most = inflateWindow === 0 ? BROTLI.largest : inflateWindow
      return new PlainDecoder(
        new Coder(createBrotliDecompress()),
        constants.BROTLI_OPERATION_FINISH,
        (first) => brotliWindow(first) !== 0 && brotliWindow(first) <= most,
      )
    },
    joins: () => false,
    pads: false,
  },
  zstd: {
    flush: ZSTD.operation.flush,
    finish: ZSTD.operation.end,
    encoder: ({ level, window }) =>
      new Coder(
        zstd().createZstdCompress({
          params: {
            [ZSTD.encoder.level]: level < 0 ? ZSTD.usual.level : level,
            [ZSTD.encoder.window]: window === 0 ? ZSTD.usual.window : window,
          },
        }),
      ),
    decoder: ({ inflateWindow }) => {
      const most = inflateWindow === 0 ? ZSTD.usual.largest : inflateWindow
      const params = { [ZSTD.decoder.largest]: most }
      return new ZstdDecoder(new Coder(zstd().createZstdDecompress({ params })))
    },
    joins: isZstdFrame,
    pads: false,
  },
}

/** How streams are coded that these options ask for; undefined: not at all. */
export const methodOf = ({ method }: CompressOptions): Method | undefined =>
  method === 'none' ? undefined : METHODS[method]

/** Why a method cannot be had from the portable engine; empty where it can. */
export const portableMethods = (): Record<CompressMethod, string> => ({
  zlib: '',
  gzip: '',
  brotli: '',
  zstd:
    typeof zstd().createZstdDecompress === 'function'
      ? ''
      : `the zlib of Node ${process.versions.node} does not have it (22.15 or later does); the native engine needs libzstd alone`,
})
