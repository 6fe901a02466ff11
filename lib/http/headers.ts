// The fields of a request's head, or of its trailers. Nothing is looked at before somebody asks.

/** Field names are compared without regard to case; fields stay in the order that they came in. */
export class HttpHeaders implements Iterable<[name: string, value: string]> {
  readonly #text: string
  /** Lower-case. */
  #names: string[] | undefined
  #values: string[] = []

  /** @param text field lines, each with its CRLF, which a framer has found right (latin1) */
  constructor(text: string) {
    this.#text = text
  }

  /** How many fields there are; equal names count each. */
  get size(): number {
    return this.#parsed().length
  }

  has(name: string): boolean {
    return this.#parsed().includes(name.toLowerCase())
  }

  /**
   * The value of a field; those of several are joined by ', '.
   * @example
   * new HttpHeaders('Accept: a\r\naccept: b\r\n').get('ACCEPT') // 'a, b'
   */
  get(name: string): string | undefined {
    const names = this.#parsed()
    const wanted = name.toLowerCase()
    const first = names.indexOf(wanted)
    if (first < 0) return undefined
    if (names.indexOf(wanted, first + 1) < 0) return this.#values[first]
    return this.getAll(wanted).join(', ')
  }

  getAll(name: string): string[] {
    const names = this.#parsed()
    const wanted = name.toLowerCase()
    return this.#values.filter((_, i) => names[i] === wanted)
  }

  /** Each field by itself, its name in lower case. */
  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    const names = this.#parsed()
    for (let i = 0; i < names.length; i++) yield [names[i] as string, this.#values[i] as string]
  }

  #parsed(): string[] {
    return this.#names ?? this.#parse()
  }

  #parse(): string[] {
    const text = this.#text
    const names: string[] = []
    const values: string[] = []
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf('\r\n', at)
      const colon = text.indexOf(':', at)
      names.push(text.slice(at, colon).toLowerCase())
      values.push(withoutSpace(text, colon + 1, end))
      at = end + 2
    }
    this.#values = values
    this.#names = names
    return names
  }
}

const SPACE = 0x20
const TAB = 0x09

/** Without optional white space (OWS, RFC 9110 5.6.3), which String.trim() has another notion of. */
function withoutSpace(text: string, from: number, to: number): string {
  let [start, end] = [from, to]
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isSpace = (code: number): boolean => code === SPACE || code === TAB
