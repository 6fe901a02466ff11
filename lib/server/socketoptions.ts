// The part of the settings that a socket is made with.

import type { SocketOptions } from '../engine/engine.js'
import type { Settings } from '../options/settings.js'

export type SocketSettings = Pick<
  Settings,
  | 'socketSendBuffer'
  | 'socketReceiveBuffer'
  | 'socketInterface'
  | 'socketMark'
  | 'socketDscp'
  | 'socketBusyPoll'
  | 'tcpKeepaliveIdle'
  | 'tcpKeepaliveInterval'
  | 'tcpKeepaliveCount'
  | 'tcpUserTimeout'
  | 'tcpFastOpen'
  | 'tcpDeferAccept'
  | 'tcpMultipath'
  | 'udpBroadcast'
  | 'udpMulticast'
  | 'udpPktinfo'
  | 'udpGro'
  | 'udpGso'
  | 'writeTimeout'
>

/** What a listening socket is made with. @param incomingCpu the processor whose connections it takes; -1: any */
export function socketOptions(settings: SocketSettings, incomingCpu = -1): SocketOptions {
  return {
    sendBuffer: settings.socketSendBuffer,
    receiveBuffer: settings.socketReceiveBuffer,
    interface: settings.socketInterface,
    mark: settings.socketMark,
    dscp: settings.socketDscp,
    busyPoll: settings.socketBusyPoll,
    incomingCpu,
    keepaliveIdle: settings.tcpKeepaliveIdle,
    keepaliveInterval: settings.tcpKeepaliveInterval,
    keepaliveCount: settings.tcpKeepaliveCount,
    userTimeout: userTimeout(settings),
    fastOpen: settings.tcpFastOpen,
    deferAccept: settings.tcpDeferAccept,
    multipath: settings.tcpMultipath,
    broadcast: settings.udpBroadcast,
    multicast: settings.udpMulticast,
    pktinfo: settings.udpPktinfo,
    gro: settings.udpGro,
    gso: settings.udpGso,
  }
}

/**
 * The kernel also counts the time that a peer takes nothing in, which is write_timeout's business: it must not be
 * sooner, or the connection would end as if it were reset.
 */
function userTimeout({ tcpUserTimeout, writeTimeout }: SocketSettings): number {
  return tcpUserTimeout === 0 ? 0 : Math.max(tcpUserTimeout, writeTimeout)
}
