// What is known of one request that framer http has not seen the end of, and how its parts say how far they came.

import { HTTP_FLAG } from '../../engine/layout.js'

/** What comes next: the request line, the next field, a body of known length, or the parts of a chunked one. */
export type HttpPhase = 'line' | 'field' | 'body' | 'size' | 'data' | 'trailer' | 'whole'

/** A step's outcome, where it is not the status that the request is refused with. */
export const FINE = 0
export const MORE = 1

/** The longest request that can be described: lengths are 32-bit in both twins. */
export const LONGEST = 0xffff_ffff

/** Limits where 0, which is off, is Infinity. */
export interface HttpBounds {
  line: number
  headers: number
  headerCount: number
  body: number
  chunkExtension: number
}

/** Places are bytes from the first of the request, blank lines in front of it included. */
export class HttpProgress {
  phase: HttpPhase = 'line'
  /** Where what comes next begins. */
  at = 0
  /** Up to here there is no line end. */
  scanned = 0
  /** Whole length of the request once it is known, otherwise 0. */
  wanted = 0
  /** Bytes of blank lines in front of the request line. */
  blank = 0
  isHead = false
  /** HTTP/1.0. */
  isOld = false

  /** Bytes of the fields of this section, and the number of those of head and trailers. */
  fieldBytes = 0
  fields = 0
  hasHost = false
  closes = false
  keeps = false
  /** 100 Continue is waited for, and nobody was told yet. */
  expects = false
  /** content-length. */
  length: number | undefined
  isChunked = false
  /** Bytes of all chunks so far, and of what stands around them. */
  body = 0
  around = 0

  get flags(): number {
    const last = this.closes || (this.isOld && !this.keeps) ? HTTP_FLAG.last : 0
    return last | (this.isHead ? HTTP_FLAG.head : 0) | (this.isOld ? HTTP_FLAG.old : 0)
  }
}
