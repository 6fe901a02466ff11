// What Headers.entries(), keys() and values() return: it sees what changes while it goes on
// (https://webidl.spec.whatwg.org/#dfn-default-iterator-object).

export type Pair = readonly [name: string, value: string]

const IteratorPrototype: object = Object.getPrototypeOf(
  Object.getPrototypeOf([][Symbol.iterator]()),
)

export class HeadersIterator<Item> implements Iterator<Item, undefined> {
  readonly #pair: (i: number) => Pair | undefined
  readonly #show: (pair: Pair) => Item
  #at = 0

  constructor(pair: (i: number) => Pair | undefined, show: (pair: Pair) => Item) {
    this.#pair = pair
    this.#show = show
  }

  next(): IteratorResult<Item, undefined> {
    const pair = this.#pair(this.#at)
    if (pair === undefined) return { done: true, value: undefined }
    this.#at++
    return { done: false, value: this.#show(pair) }
  }

  /** Its prototype's: this. */
  declare [Symbol.iterator]: () => this
}

Object.setPrototypeOf(HeadersIterator.prototype, IteratorPrototype)
delete (HeadersIterator.prototype as { constructor?: unknown }).constructor
Object.defineProperty(HeadersIterator.prototype, 'next', { enumerable: true })
Object.defineProperty(HeadersIterator.prototype, Symbol.toStringTag, {
  value: 'Headers Iterator',
  configurable: true,
})
