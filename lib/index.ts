// What the package exports.

export type { Distribution } from './engine/distribution.js'
export type { Address, ConnectionInfo, EngineStats, Limits } from './engine/engine.js'
export type { CloseReason } from './engine/reasons.js'
export { type ErrorCode, GaidarosError } from './errors.js'
export type { FetchContext, FetchEnv, FetchHandler } from './frontend/exchange.js'
export type {
  Batch,
  BatchRequest,
  Bytes,
  Connection,
  DecodeRequest,
  EncodeResponse,
  EncodingName,
  EndRequest,
  FramerObject,
  HandleBatch,
  HandleRequest,
  HandlerFunctions,
  PlainReply,
  Reply,
  ReplyValue,
  SplitRequest,
} from './handler/contract.js'
export type { HttpHeadersInit, HttpHeaderValue } from './http/fields.js'
export { HttpHeaders } from './http/headers.js'
export { json } from './http/json.js'
export { HttpRequest } from './http/request.js'
export type { BodyPieces, HttpResponse } from './http/response.js'
export type { LogFields, Logger, LogLevel } from './log/logger.js'
export type { LogOptions, Reopened } from './log/logs.js'
export type { HandlerClass, Settings } from './options/index.js'
export { Gaidaros, type GaidarosOptions } from './server/gaidaros.js'
export type { ServerStats } from './server/stats.js'
