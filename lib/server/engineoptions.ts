// The part of the settings that an engine is made from.

import type { HandlerPlan } from '../dispatch/plan.js'
import type { EngineOptions, Limits, TlsOptions } from '../engine/engine.js'
import type { Wishes } from '../engine/index.js'
import type { Settings } from '../options/settings.js'
import { socketOptions } from './socketoptions.js'

/** Whether a request is a datagram, and not a part of a stream. */
export const isDatagram = ({ protocol }: Pick<Settings, 'protocol'>): boolean =>
  protocol === 'UDP' || protocol === 'unixdgram' || protocol === 'zmq'

/** Whether connections keep the bounds of messages, each of which is a request. */
export const hasMessages = ({ protocol }: Pick<Settings, 'protocol'>): boolean =>
  protocol === 'unixseqpacket'

/** Options for createEngine(). @param wantConnections to hear of each connection's beginning and end */
export function engineOptions(
  settings: Settings,
  plan: HandlerPlan,
  wantConnections: boolean,
  tls: TlsOptions | undefined,
): EngineOptions {
  const datagrams = isDatagram(settings)
  const { pollingType, sendBatching, tcpNodelay, disableNagle, recvSize, pollTimeout } = settings
  return {
    ...wishes(settings),
    pollingType,
    sendBatching,
    tcpNodelay,
    disableNagle,
    recvSize,
    pollTimeout,
    limits: engineLimits(settings),
    proxy: {
      versions: settings.proxyProtocol,
      timeout: settings.proxyTimeout,
      allow: settings.proxyAllowFrom,
    },
    compress: {
      method: settings.compress,
      level: settings.compressLevel,
      window: settings.compressWindow,
      inflateWindow: settings.inflateWindow,
      memory: settings.compressMemory,
    },
    tls,
    amplification: settings.udpAmplification,
    gso: settings.udpGso !== 'off',
    framer: plan.framer,
    // Datagrams have no beginning and no end of their own.
    wantOpened: !datagrams && (wantConnections || plan.opened !== undefined),
    wantClosed: !datagrams && (wantConnections || plan.closed !== undefined),
  }
}

/** What of the settings an engine may not be able to do. */
export const wishes = (settings: Settings): Wishes => ({
  tcpCork: settings.tcpCork,
  busyPoll: settings.busyPoll,
  quickAck: settings.tcpQuickAck,
  socket: socketOptions(settings),
  datagrams: isDatagram(settings),
  local: settings.protocol === 'unixdgram',
  messages: hasMessages(settings),
  vsock: settings.protocol === 'vsock',
  zmq: settings.protocol === 'zmq' ? { highWaterMark: settings.zmqHwm } : undefined,
})

/** Limits and timers: milliseconds and bytes, 0 is off. */
export function engineLimits(settings: Settings): Limits {
  return {
    maxConnections: settings.maxConnections,
    maxConnectionsPerIp: settings.maxConnectionsPerIp,
    maxFrameSize: settings.maxFrameSize,
    outputHighWater: settings.outputHighWater,
    outputLimit: settings.outputLimit,
    maxPipelined: settings.maxPipelined,
    firstByteTimeout: settings.firstByteTimeout,
    frameTimeout: settings.frameTimeout,
    idleTimeout: settings.idleTimeout,
    writeTimeout: settings.writeTimeout,
    handlerTimeout: settings.handlerTimeout,
    lingerIdleTimeout: settings.lingerIdleTimeout,
    lingerTimeout: settings.lingerTimeout,
    lingerBytes: settings.lingerBytes,
    stallWarning: settings.stallWarning,
    tlsHandshakeTimeout: settings.tlsHandshakeTimeout,
    inflateMax: settings.inflateMax,
    inflateRatio: settings.inflateRatio,
    httpMaxLine: settings.httpMaxLine,
    httpMaxHeaders: settings.httpMaxHeaders,
    httpMaxHeaderCount: settings.httpMaxHeaderCount,
    httpMaxBody: settings.httpMaxBody,
    httpMaxChunkExtension: settings.httpMaxChunkExtension,
  }
}
