// The seam between a handler and the machine: what every engine offers and what it is told. The native
// engine (addon) and the portable one (node:net) implement it; nothing above asks which one runs.

import type { ProxyTlv, ProxyVersions } from '../frame/proxyheader.js'
import type { Distribution } from './distribution.js'
import type { EnginePool } from './pool.js'
import type { CloseReason } from './reasons.js'

/** A framer that the engine cuts requests with; 'chunk' hands raw bytes up, framing is then done in JS. */
export type FramerSpec =
  | {
      kind: 'delimiter'
      delimiter: Uint8Array
      strip: boolean
      /** strip: also take one CR before it */
      cr?: boolean
    }
  | {
      kind: 'length'
      type: 'u8' | 'u16be' | 'u16le' | 'u32be' | 'u32le'
      /** Bytes before the length field. */
      offset: number
      /** Added to the length that the field gives. */
      adjust: number
      /** The field counts the whole frame, header and field included. */
      inclusive: boolean
      strip: boolean
    }
  | { kind: 'varint'; strip: boolean }
  | { kind: 'fixed'; size: number }
  | { kind: 'eof' }
  | { kind: 'http' }
  | { kind: 'chunk' }

/** Limits and timers; milliseconds and bytes; 0 is off. Belong to a listener and can be swapped while it runs. */
export interface Limits {
  maxConnections: number
  maxConnectionsPerIp: number
  maxFrameSize: number
  outputHighWater: number
  outputLimit: number
  maxPipelined: number
  firstByteTimeout: number
  frameTimeout: number
  idleTimeout: number
  writeTimeout: number
  handlerTimeout: number
  lingerIdleTimeout: number
  lingerTimeout: number
  lingerBytes: number
  /** Time that the loop is kept from its sockets after which EngineHost.stalled() is called. */
  stallWarning: number
  tlsHandshakeTimeout: number
  /** Bytes that what is received at once may inflate to. */
  inflateMax: number
  /** Inflated bytes of a stream by those received, after the first 64 KiB. */
  inflateRatio: number
  /** With framer http, in place of maxFrameSize. Bytes of a request line without its line end; longer: 414. */
  httpMaxLine: number
  /** Bytes of a head's fields with their line ends, and as many of trailers; more: 431. */
  httpMaxHeaders: number
  /** Fields of head and trailers; more: 431. */
  httpMaxHeaderCount: number
  /** Bytes of a body, without what chunks put around them; more: 413. */
  httpMaxBody: number
  /** Bytes of the extensions of one chunk, from the semicolon on; more: 400. */
  httpMaxChunkExtension: number
}

/** What framer http goes by; 0 is off. */
export type HttpLimits = Pick<
  Limits,
  'httpMaxLine' | 'httpMaxHeaders' | 'httpMaxHeaderCount' | 'httpMaxBody' | 'httpMaxChunkExtension'
>

/** Methods of compression. */
export const COMPRESS_METHODS = ['zlib', 'gzip', 'zstd', 'brotli'] as const
export type CompressMethod = (typeof COMPRESS_METHODS)[number]

/** Compression of what is received and sent. */
export interface CompressOptions {
  method: CompressMethod | 'none'
  /** -1: the method's usual one. */
  level: number
  /** Binary logarithm of the window, of what is sent and at most of what comes; 0: the method's usual one. */
  window: number
  inflateWindow: number
  /** zlib, gzip: memLevel; 0: the usual one. */
  memory: number
}

/** A PROXY header before each connection. */
export interface ProxyOptions {
  versions: ProxyVersions | 'off'
  /** Milliseconds; 0 is off. */
  timeout: number
  /** Networks whose headers are believed; others' connections are closed. Empty: all. */
  allow: readonly string[]
}

/** TLS, of files that were read and checked (lib/tls). */
export interface TlsOptions {
  /** From the first byte of each connection; else where startTls() is called. */
  implicit: boolean
  /** PEM. The first that fits the server name that the client asks for; where none does, the very first. */
  certificates: readonly { chain: string; key: string }[]
  /** PEM; what client certificates are checked against. */
  ca: string
  clients: 'none' | 'optional' | 'required'
  only13: boolean
  /** Of TLS 1.2, in the notation of OpenSSL. */
  ciphers: string
  /** By preference. */
  alpn: readonly string[]
  /** Session tickets for each handshake of TLS 1.3; 0: no resumption. */
  tickets: number
  /** Who has it takes the tickets of everybody else who has it. */
  ticketSecret: Uint8Array
}

export interface EngineOptions {
  pollingType: 'edge' | 'level' | 'completion'
  sendBatching: boolean
  tcpCork: boolean
  /** No gathering: each response is sent at once, with TCP_NODELAY. */
  tcpNodelay: boolean
  /** TCP_NODELAY alone. */
  disableNagle: boolean
  /** TCP_QUICKACK on each connection. */
  quickAck: boolean
  /** Bytes a read. */
  recvSize: number
  /** Longest sleep between housekeeping turns, milliseconds. */
  pollTimeout: number
  /** Spin before sleeping, microseconds; 0 is off. */
  busyPoll: number
  limits: Limits
  proxy: ProxyOptions
  tls?: TlsOptions | undefined
  compress: CompressOptions
  /** Datagrams instead of connections: each is a request, and a connection of its own. */
  datagrams: boolean
  /** They come by unix sockets. */
  local: boolean
  /** Connections of messages, SOCK_SEQPACKET: each is a request. With framer MESSAGE. */
  messages: boolean
  /** They are messages of ZeroMQ. */
  zmq?: ZmqOptions | undefined
  /** Connections come by vsock. */
  vsock: boolean
  /** Bytes of the replies to a datagram by its own; 0: no limit. */
  amplification: number
  /** Replies to one peer that follow each other leave as one message, where the kernel takes that. */
  gso: boolean
  /** What connections are to have, where that is not their listener's business already. */
  socket: SocketOptions
  framer: FramerSpec
  /** Deliver an `opened` record for each connection. */
  wantOpened: boolean
  /** Deliver a `closed` record for each connection. */
  wantClosed: boolean
}

/** What a socket of ZeroMQ is made with. */
export interface ZmqOptions {
  /** Messages of a peer that libzmq keeps in each direction; 0: no limit. */
  highWaterMark: number
}

/** Of what a kernel may lack. auto: content without; on: it is an error. */
export type Wish = 'auto' | 'on' | 'off'

/** What is asked of the kernel for a socket; 0, '' and false leave its own choice. Times in milliseconds. */
export interface SocketOptions {
  /** Bytes. */
  sendBuffer: number
  receiveBuffer: number
  interface: string
  mark: number
  dscp: number
  /** Microseconds. */
  busyPoll: number
  /** The processor whose connections the socket takes; -1: any. */
  incomingCpu: number
  keepaliveIdle: number
  keepaliveInterval: number
  keepaliveCount: number
  userTimeout: number
  /** Length of its queue. */
  fastOpen: number
  deferAccept: number
  multipath: boolean
  broadcast: boolean
  /** Groups to join: addresses. */
  multicast: readonly string[]
  /** To be told which address of the machine datagrams were sent to; auto: where it is bound to all. */
  pktinfo: Wish
  /** Several datagrams as one message, received and sent. */
  gro: Wish
  gso: Wish
}

export interface ListenSpec {
  /** Numeric address, IPv4 or IPv6 (names are resolved above). */
  address: string
  /** A unix socket's, instead of address and port; @ stands for the abstract namespace. */
  path?: string
  /** A vsock's context identifier, instead of the address; its port has 32 bits. */
  cid?: number
  /** 0: any free one. */
  port: number
  backlog: number
  /** For '::': true keeps IPv4 out. */
  v6only: boolean
  /** An open listening descriptor to use instead of making one; the engine's from then on. */
  fd?: number
  /** Accepts nothing before watchListener(). With `fd` only. */
  dormant?: boolean
  /** A socket of datagrams. */
  datagrams?: boolean
  /** A path's: connections of messages, SOCK_SEQPACKET. */
  messages?: boolean
  /** Absent: a socket of ours has the defaults, one that is open already stays as it is. */
  socket?: SocketOptions
}

export interface Address {
  /**
   * Of a unix socket: its path, with @ for the abstract namespace; empty where it has none, as most clients. Of a peer of
   * ZeroMQ: its routing id, in hexadecimal. Of vsock: its context identifier, in decimal, or 'any'.
   */
  address: string
  family: 'IPv4' | 'IPv6' | 'unix' | 'vsock' | 'zmq'
  /** 0 of a unix socket, and of a peer of ZeroMQ. */
  port: number
}

/** Who has connected to a unix socket, as the kernel knows since then. */
export interface Credentials {
  /** 0 where this process cannot see it. */
  pid: number
  uid: number
  gid: number
}

/** What a proxy said of a connection that it passed on (PROXY protocol). */
export interface ProxyInfo {
  version: 1 | 2
  /** The proxy's own address. */
  address: Address
  /** Version 2: type-length-values in their order, without NOOP and CRC32C. */
  tlvs: readonly ProxyTlv[]
}

/** What client and server have agreed on in a TLS handshake. */
export interface TlsFacts {
  /** 'TLSv1.3' */
  protocol: string
  /** 'TLS_AES_256_GCM_SHA384' */
  cipher: string
  /** The session is one of before. */
  resumed: boolean
  /** The application protocol, where one was agreed on. */
  alpn?: string
  /** The name that the client asked for. */
  serverName?: string
  /** The client's, DER, where it showed one. */
  certificate?: Uint8Array
  /** Why that is not to be trusted, in words of OpenSSL; absent where it is. */
  refusal?: string
}

export interface ConnectionInfo {
  /** The peer, and the address that it connected to: as the proxy says, where there is one. */
  remote: Address
  local: Address
  /** Of a unix socket: of a datagram its sender's. */
  credentials?: Credentials
  /** Where the connection came through a proxy. */
  proxy?: ProxyInfo
  /** Once the handshake is over. */
  tls?: TlsFacts
  /** What was wrong, in words, where the reason that it was closed for does not say it all. */
  fault?: string
  bytesIn: number
  bytesOut: number
  requests: number
}

/** One connection of many, as an operator sees it. */
export interface ConnectionState {
  slot: number
  generation: number
  remote: Address
  local: Address
  /** ending: it is closed once what is answered is sent; lingering: FIN was sent, the peer's is waited for. */
  state: 'open' | 'ending' | 'lingering'
  /** It is not read from. */
  paused: boolean
  /** Since it was accepted, and since its last byte in or out. */
  age_ms: number
  idle_ms: number
  bytes_in: number
  bytes_out: number
  requests: number
  in_flight: number
  /** Bytes that wait unsent or held for their turn. */
  queued_bytes: number
}

/** What waits at this moment, in all connections together. */
export interface Levels {
  connections: number
  in_flight: number
  queued_bytes: number
  /** Connections that are not read from. */
  paused: number
}

export interface ConnectionList extends Levels {
  list: ConnectionState[]
}

/** Counters since the start, but for `active`, which is a level. */
export interface EngineStats {
  accepted: number
  active: number
  requests: number
  replies: number
  bytes_in: number
  bytes_out: number
  /** Crossings into JS that carried at least one record, and the records they carried. */
  batches: number
  records: number
  /** Unfinished frames dropped at half-close. */
  dropped_frames: number
  /** Times accepting was paused for max_connections, and for want of descriptors or memory. */
  accept_paused_limit: number
  accept_paused_resources: number
  accept_errors: number
  turns: number
  /** Datagrams that were longer than max_frame_size, and were dropped. */
  datagrams_cut: number
  /** Messages of ZeroMQ whose body had several frames, and that were dropped. */
  datagrams_multipart: number
  /** Replies that udp_amplification held back. */
  datagrams_held_back: number
  /** Replies that the kernel did not take: no room, no route, too long, nowhere to go. */
  datagrams_unsent: number
  /** Errors that ICMP has reported of replies. */
  icmp_errors: number
  /** TLS handshakes, those of them that resumed a session, and those that failed or took too long. */
  tls_handshakes: number
  tls_resumed: number
  tls_failed: number
  /** With compress: what `bytes_in` were inflated from, and what `bytes_out` became. */
  compressed_bytes_in: number
  compressed_bytes_out: number
  /** Datagrams that did not inflate, and were dropped. */
  datagrams_corrupt: number
  /** System calls by kind (native engine; empty where they cannot be counted). */
  syscalls: Record<string, number>
  /** Closed connections by reason. */
  closed: Record<CloseReason, number>
  /**
   * From handing a request over to its answer's way to the kernel. Counts every request that is answered in the turn
   * that it was handed over in, and of the others one in 64 or so, which stands for all of them.
   */
  latency: Distribution
  /** For how long the loop was kept from its sockets at a time: by a turn of the handler or by other code. */
  lag: Distribution
}

/** What the dispatcher gives the engine. */
export interface EngineHost {
  /**
   * `count` records stand in engine.records; their bytes lie in engine.slab or engine.bigs. On return
   * engine.replies holds one reply for each. Must not throw. Bytes of the slab may be kept for ever.
   * @returns false when nobody keeps any: the engine may write over them
   */
  turn(count: number): boolean | undefined
  /**
   * The loop was kept from its sockets for `ms`, which is stallWarning or more: by the turn of `count` records, which
   * still stand in engine.records; 0: by code that ran outside of turns. Must not throw.
   */
  stalled(count: number, ms: number): void
  /** Something that an operator should know, for the log. Must not throw, nor call the engine. */
  warned(text: string): void
}

export interface Engine {
  readonly name: 'native' | 'portable'
  /** Its connections are datagrams. */
  readonly isDatagram: boolean
  /** What it reads from connections and writes to them are messages, each behind its length (asMessage()). */
  readonly hasMessages: boolean
  /** What stands in the log and --probe: 'epoll edge, batched sends', 'io_uring', 'node:net'. */
  readonly description: string
  readonly records: Uint32Array
  readonly replies: Uint32Array
  /** What the offsets of this turn's records refer to. Replaced, never rewritten: read it in each turn. */
  readonly slab: Buffer
  /** Frames too long for the slab, by RECORD_BIG. */
  readonly bigs: readonly Buffer[]
  /** Scratch for the replies of one turn (ANSWER.out). Free again when turn() returns. */
  readonly out: Buffer

  /**
   * Binds and listens. Throws, or rejects with, GaidarosError ERR_GAIDAROS_LISTEN. Connections are accepted from
   * start() on. The native engine answers at once; node:net reports what bind() said in a later turn only.
   */
  listen(spec: ListenSpec): Address | Promise<Address>
  start(): void

  /**
   * Answers request `sequence`; replies leave in order of sequence, those that come early are held.
   * Bytes are copied or sent before this returns. `flags`: REPLY_FLAG. undefined: no bytes.
   * @returns bytes that wait unsent or held on the connection, -1 when it is gone.
   */
  reply(
    slot: number,
    generation: number,
    sequence: number,
    data: Uint8Array | undefined,
    flags: number,
  ): number
  /** Sends bytes that answer no request, at once in the order of calls. Same return value. Above outputLimit the connection is closed. */
  write(slot: number, generation: number, data: Uint8Array): number
  /** Reads no more requests, sends what is answered, then closes (reason 'done'). */
  end(slot: number, generation: number): void
  /** Closes now; unsent output is dropped. */
  close(slot: number, generation: number, reason: CloseReason): void
  /**
   * Stops accepting, ends idle connections, lets what is in flight finish for at most `graceMs`, then
   * closes what is left (reason 'shutdown'). The promise settles when every descriptor is closed and
   * nothing keeps the process alive.
   */
  close(graceMs: number): Promise<void>
  pause(slot: number, generation: number): void
  resume(slot: number, generation: number): void
  /**
   * Framer 'chunk' only: JS cut `count` further requests (numbered from the chunk record's sequence on)
   * and holds an unfinished frame or not: the engine counts them in flight and runs the frame timer. One that is
   * unfinished when the connection's `ended` record is answered, or is said to be after that, is dropped and counted.
   */
  framed(slot: number, generation: number, count: number, partial: boolean): void
  /** A JS object stands for the connection: deliver its `closed` and `drained` records. */
  watch(slot: number, generation: number): void
  /** undefined when it is gone; still answers during its own `closed` record. */
  info(slot: number, generation: number): ConnectionInfo | undefined

  stats(): EngineStats
  /** What is open: levels, and up to `limit` connections by themselves, by slot. */
  connections(limit: number): ConnectionList
  /** Swaps limits while running. */
  setLimits(limits: Limits): void
  /** Certificates and all else of TLS for new connections; `implicit` stays as it was. */
  setTls?(tls: TlsOptions): void
  /**
   * TLS begins once request `sequence` is answered, the last that was received; undefined: at once, with nothing in
   * flight. Where more was received in plain the connection is closed (tls_error). Absent where handlers run elsewhere.
   * @returns false: the connection is gone, or has TLS
   */
  startTls?(slot: number, generation: number, sequence: number | undefined): boolean
  /** Stops accepting: listeners are closed. */
  stopListening(): void
  /** Accepts from the listener that the listen() call of this number made (from 0), once start() was called. */
  watchListener(listener: number): void | Promise<void>
  /**
   * Accepts from it no more; what was accepted before is served. Other processes that hold the same socket are
   * not concerned. The portable engine gives its descriptor back: there it cannot be watched again.
   */
  unwatchListener(listener: number): void
  /** False once nothing can be accepted any more without a watchListener(). */
  readonly accepting: boolean
}

/** The engine of a server; that of a worker (worker.ts) has no workers of its own. */
export interface ServingEngine extends Engine {
  /** Hands requests to workers in other threads and processes. */
  readonly pool: EnginePool
}
