// The terminal as gaidaros top uses it: the alternate screen, keys as they are typed, and everything as it was when it
// is over, however that comes about.

import type { ReadStream, WriteStream } from 'node:tty'

const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const TO_END_OF_LINE = '\u001b[K'
const TO_END_OF_SCREEN = '\u001b[J'
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
const QUITS = new Set(['q', 'Q', '\u0003', '\u0004', '\u001b'])

export class Screen {
  readonly #output: WriteStream
  readonly #input: ReadStream
  readonly #changed: () => void
  readonly #quit: () => void
  #open = false

  /** @param changed its size has changed; @param quit the user, or a signal, wants it to end */
  constructor(
    input: ReadStream,
    output: WriteStream,
    { changed, quit }: { changed: () => void; quit: () => void },
  ) {
    this.#input = input
    this.#output = output
    this.#changed = changed
    this.#quit = quit
  }

  get columns(): number {
    return this.#output.columns || 80
  }

  get rows(): number {
    return this.#output.rows || 24
  }

  open(): void {
    this.#open = true
    this.#output.write(ENTER)
    this.#output.on('resize', this.#changed)
    process.on('exit', this.close)
    for (const signal of SIGNALS) process.on(signal, this.#quit)
    if (!this.#input.isTTY) return
    this.#input.setRawMode(true)
    this.#input.setEncoding('utf8')
    this.#input.on('data', this.#key)
    this.#input.resume()
  }

  draw(lines: readonly string[]): void {
    if (!this.#open) return
    const text = lines.map((line) => `${line}${TO_END_OF_LINE}`).join('\r\n')
    this.#output.write(`${HOME}${text}${TO_END_OF_SCREEN}`)
  }

  /** May be called more than once, and while the process exits. */
  readonly close = (): void => {
    if (!this.#open) return
    this.#open = false
    this.#output.off('resize', this.#changed)
    process.off('exit', this.close)
    for (const signal of SIGNALS) process.off(signal, this.#quit)
    if (this.#input.isTTY) {
      this.#input.off('data', this.#key)
      this.#input.setRawMode(false)
      this.#input.pause()
    }
    this.#output.write(LEAVE)
  }

  readonly #key = (typed: unknown): void => {
    if (QUITS.has(String(typed))) this.#quit()
  }
}
