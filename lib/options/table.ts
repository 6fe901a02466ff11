// The option table: every option once. Sections keep the order of the configuration file.

import { listening, loop, process } from './table/global.js'
import { handler, pools, server } from './table/handler.js'
import { limits } from './table/limits.js'
import { cluster, config, log } from './table/operation.js'
import { compress, proxy, socket, tls } from './table/transport.js'

/** Every row. */
export const table = [
  ...listening,
  ...loop,
  ...process,
  ...server,
  ...handler,
  ...pools,
  ...limits,
  ...socket,
  ...tls,
  ...proxy,
  ...compress,
  ...log,
  ...cluster,
  ...config,
] as const

export type Row = (typeof table)[number]
/** Canonical names, snake_case. */
export type OptionName = Row['name']
