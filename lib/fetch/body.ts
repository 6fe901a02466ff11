// What Request and Response have in common (https://fetch.spec.whatwg.org/#body-mixin).

import type { LightHeaders } from './headers.js'
import { node } from './node.js'
import type { Payload } from './payload.js'

export let payloadOf: (body: LightBody) => Payload

export abstract class LightBody {
  readonly #payload: Payload

  constructor(payload: Payload) {
    this.#payload = payload
  }

  abstract get headers(): LightHeaders

  get body(): ReadableStream<Uint8Array> | null {
    return this.#payload.stream
  }

  get bodyUsed(): boolean {
    return this.#payload.isUsed
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.#payload.bytes()).buffer
  }

  async blob(): Promise<Blob> {
    return (await this.#whole()).blob()
  }

  async bytes(): Promise<Uint8Array> {
    return this.#payload.bytes()
  }

  async formData(): Promise<FormData> {
    return (await this.#whole()).formData()
  }

  async json(): Promise<unknown> {
    return this.#payload.json()
  }

  async text(): Promise<string> {
    return this.#payload.text()
  }

  textStream(): ReadableStream<string> {
    return this.#payload.texts()
  }

  static {
    payloadOf = (body) => body.#payload
  }

  /** Node's Response of the whole body and its type. */
  async #whole(): Promise<Response> {
    const bytes = await this.#payload.bytes()
    const type = this.headers.get('content-type')
    const init = type === null ? {} : { headers: { 'content-type': type } }
    return new (node().Response)(bytes, init)
  }
}
