// The part of the settings that an engine is made from.

import type { HandlerPlan } from '../dispatch/plan.js'
import type { EngineOptions, Limits } from '../engine/engine.js'
import type { Settings } from '../options/settings.js'

/** Options for createEngine(). @param wantConnections to hear of each connection's beginning and end */
export function engineOptions(
  settings: Settings,
  plan: HandlerPlan,
  wantConnections: boolean,
): EngineOptions {
  const { pollingType, sendBatching, tcpCork, tcpNodelay, disableNagle } = settings
  const { recvSize, pollTimeout, busyPoll } = settings
  return {
    pollingType,
    sendBatching,
    tcpCork,
    tcpNodelay,
    disableNagle,
    recvSize,
    pollTimeout,
    busyPoll,
    limits: engineLimits(settings),
    proxy: {
      versions: settings.proxyProtocol,
      timeout: settings.proxyTimeout,
      allow: settings.proxyAllowFrom,
    },
    framer: plan.framer,
    wantOpened: wantConnections || plan.opened !== undefined,
    wantClosed: wantConnections || plan.closed !== undefined,
  }
}

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
  }
}
