// The end of a log: takes bytes without making the event loop wait for them.
//
// A regular file is written by libuv's threads, one write at a time: write() on it never says EAGAIN, it waits, for a
// slow disk, a full journal or a file server that is gone. The server must not. Lines that come meanwhile are
// gathered and go with the next write (one case apart: see Target.write()). A pipe or a device is written here and now, on a descriptor that is
// O_NONBLOCK: EAGAIN comes back at once; in a thread of libuv's a write that waits would hold that thread, and the
// end of the process, for ever.

import { close, write, writeSync } from 'node:fs'
import { MOST_BYTES } from './buffer.js'
import { isRegular, type Opened, openStandardAgain } from './place.js'

/** What write() has to say: bytes taken, or why none were. */
export type Written = (error: NodeJS.ErrnoException | null, bytes: number) => void

export interface Sink {
  /** Bytes at once. A pipe takes up to 4096 whole or not at all, so lines of several processes stay whole. */
  readonly most: number
  write(bytes: Buffer, done: Written): void
  /** The same, at once; for the last lines. Throws. */
  writeNow(bytes: Buffer): number
  close(): void
}

const PIPE_BUF = 4096

class FileSink implements Sink {
  readonly most = MOST_BYTES
  readonly #fd: number
  readonly #keep: boolean

  constructor(fd: number, keep: boolean) {
    this.#fd = fd
    this.#keep = keep
  }

  write(bytes: Buffer, done: Written): void {
    write(this.#fd, bytes, 0, bytes.length, null, done)
  }

  writeNow(bytes: Buffer): number {
    return writeSync(this.#fd, bytes)
  }

  close(): void {
    if (!this.#keep) close(this.#fd, () => undefined)
  }
}

class PipeSink implements Sink {
  readonly most = PIPE_BUF
  readonly #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  write(bytes: Buffer, done: Written): void {
    let written = 0
    try {
      written = writeSync(this.#fd, bytes)
    } catch (error) {
      done(error as NodeJS.ErrnoException, 0)
      return
    }
    done(null, written)
  }

  writeNow(bytes: Buffer): number {
    return writeSync(this.#fd, bytes)
  }

  close(): void {
    close(this.#fd, () => undefined)
  }
}

/** Bytes that a stream may hold for us; the rest waits in the buffer, where it is bounded. */
const STREAM_BYTES = 64 * 1024

/**
 * Standard output or error where it cannot be opened again, which is so for sockets (systemd's journal): Node's own
 * stream, which does not wait either but has no bound.
 */
class StreamSink implements Sink {
  readonly most = STREAM_BYTES
  readonly #stream: NodeJS.WriteStream

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  write(bytes: Buffer, done: Written): void {
    try {
      done(null, this.writeNow(bytes))
    } catch (error) {
      done(error as NodeJS.ErrnoException, 0)
    }
  }

  writeNow(bytes: Buffer): number {
    if (this.#stream.writableLength >= STREAM_BYTES)
      throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' })
    // The bytes are the buffer's, and the stream may keep them.
    this.#stream.write(Buffer.from(bytes))
    return bytes.length
  }

  close(): void {}
}

/** A sink for what openLogFile() has opened. */
export const sinkOf = ({ fd, regular }: Opened): Sink =>
  regular ? new FileSink(fd, false) : new PipeSink(fd)

/** A sink for standard output or error, which stay open. */
export function standardSink(fd: 1 | 2): Sink {
  // A file must be written through the very descriptor: others who write to it share its offset.
  if (isRegular(fd)) return new FileSink(fd, true)
  const again = openStandardAgain(fd)
  if (again !== undefined) return new PipeSink(again)
  return new StreamSink(fd === 1 ? process.stdout : process.stderr)
}
