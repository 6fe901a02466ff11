// The handler contract as types: what a handler module may export and what it is given.
// docs/handlers.md explains it with examples.

import type { Address, Credentials, ProxyInfo } from '../engine/engine.js'
import type { CloseReason } from '../engine/reasons.js'

/** Encodings that decode_request and encode_response take by name. */
export type EncodingName = 'utf8' | 'latin1' | 'ascii' | 'hex' | 'base64' | 'json'

export type Bytes = Uint8Array | ArrayBuffer

/** What one reply may carry, before encode_response. `undefined`: no answer. */
export type ReplyValue = Bytes | string | undefined
/** A reply, or a reply and whether the connection is kept after it. */
export type PlainReply<V = ReplyValue> = V | [reply: V, keepalive: boolean]
export type Reply<V = ReplyValue> =
  | PlainReply<V>
  | Promise<PlainReply<V> | AsyncIterable<V>>
  | AsyncIterable<V>

/** One client connection, made when a handler first asks for it. */
export interface Connection {
  /** Unique within this server for its whole life: `<slot>.<generation>`. */
  readonly id: string
  readonly remote: Address
  readonly local: Address
  /** What a proxy in front said of it (proxy_protocol); `remote` and `local` are then as the proxy says. */
  readonly proxy: ProxyInfo | undefined
  readonly protocol: 'TCP' | 'UDP' | 'unixsocket' | 'unixdgram' | 'unixseqpacket' | 'vsock' | 'zmq'
  /** Of a unix socket: the process that has connected, and who it ran as (unix(7), SO_PEERCRED). */
  readonly credentials: Credentials | undefined
  /** What was agreed on in its TLS handshake; undefined: it has none yet. */
  readonly tls: TlsConnection | undefined
  /** Bytes received and handed to the kernel so far. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Requests received so far. */
  readonly requests: number
  /** True once the connection is gone. */
  readonly isClosed: boolean
  /** The handler's own. */
  data: unknown
  /** Aborted when the connection is closed, or its request overran handler_timeout. */
  readonly signal: AbortSignal
  /** Sends bytes or a string outside of any reply. False: output is above the high-water mark; await drained(). */
  write(data: Bytes | string): boolean
  /** Settles when output is below the low-water mark, or the connection is gone. */
  drained(): Promise<void>
  /** No further requests; closes once everything answered is sent. */
  end(data?: Bytes | string): void
  /** Closes now, dropping unsent output. */
  close(): void
  pause(): void
  resume(): void
  /**
   * TLS begins behind the reply to the request that was handed over last: that one still leaves in plain (STARTTLS).
   * Wanted: tls_cert, tls_mode = starttls, handle_request in the loop. Where the client has sent something behind
   * that request already the connection is closed (reason tls_error): whoever sent it need not be who speaks TLS.
   * @throws TypeError ERR_GAIDAROS_STATE where it cannot begin
   */
  startTls(): void
}

/** What client and server have agreed on. */
export interface TlsConnection {
  /** 'TLSv1.2' or 'TLSv1.3' */
  readonly protocol: string
  /** 'TLS_AES_256_GCM_SHA384' */
  readonly cipher: string
  /** The session is one of before. */
  readonly resumed: boolean
  /** The application protocol (ALPN), where one was agreed on. */
  readonly alpn: string | undefined
  /** The name that the client asked for (SNI). */
  readonly serverName: string | undefined
  /** The client's certificate, where tls_verify asks for it and it has shown one. */
  readonly peer: PeerCertificate | undefined
  /** The client has shown a certificate, and tls_ca vouches for it. */
  readonly authorized: boolean
  /** Why the certificate that it has shown is not to be trusted, in words of OpenSSL. */
  readonly refusal: string | undefined
}

/** A client's certificate, as node:crypto's X509Certificate writes it. */
export interface PeerCertificate {
  readonly subject: string
  readonly issuer: string
  readonly fingerprint256: string
  readonly validFrom: string
  readonly validTo: string
  /** DER. */
  readonly raw: Uint8Array
}

/** A request of a batch; valid until handle_batch returns or its promise settles. */
export interface BatchRequest {
  readonly length: number
  readonly connection: Connection
  /** The request's bytes; the handler's to keep. */
  bytes(): Buffer
  text(encoding?: BufferEncoding): string
  /** Answers it, once. A request of the same batch is copied natively. */
  reply(reply: Bytes | string | BatchRequest): void
  /** Answers nothing (or what was replied) and closes the connection after it. */
  close(): void
}

export interface Batch extends Iterable<BatchRequest> {
  readonly length: number
  /** Request `index`, from 0. RangeError outside. */
  at(index: number): BatchRequest
}

export type EndRequest = (bytes: Buffer) => boolean
export type SplitRequest = (bytes: Buffer) => [request: Uint8Array, rest: Uint8Array]
export type DecodeRequest = (bytes: Buffer) => unknown
// biome-ignore lint/suspicious/noExplicitAny: the request is whatever decode_request made of it
export type HandleRequest = (request: any, connection: Connection) => unknown
// biome-ignore lint/suspicious/noExplicitAny: the value is whatever the handler returned
export type EncodeResponse = (value: any) => Bytes | string
export type HandleBatch = (batch: Batch) => void | Promise<void>

/** The functions of a handler, as a module exports them or the constructor takes them. */
export interface HandlerFunctions {
  handleRequest?: HandleRequest
  handleBatch?: HandleBatch
  /** Declared framer as text or object, or a function. */
  endRequest?: string | FramerObject | EndRequest
  splitRequest?: string | FramerObject | SplitRequest
  decodeRequest?: EncodingName | DecodeRequest
  encodeResponse?: EncodingName | EncodeResponse
  opened?: (connection: Connection) => void
  closed?: (connection: Connection, reason: CloseReason) => void
  /** A request may be handled twice: one whose worker (thread, process) died is given to another. */
  idempotent?: boolean
}

/** Declared framers as objects. */
export type FramerObject =
  | { framer: 'line'; strip?: boolean }
  | { framer: 'delimiter'; delimiter: string | Uint8Array; strip?: boolean }
  | {
      framer: 'length'
      type: 'u8' | 'u16be' | 'u16le' | 'u32be' | 'u32le'
      offset?: number
      adjust?: number
      inclusive?: boolean
      strip?: boolean
    }
  | { framer: 'varint'; strip?: boolean }
  | { framer: 'fixed'; size: number }
  | { framer: 'eof' }
  | { framer: 'datagram' }
  | { framer: 'http' }
