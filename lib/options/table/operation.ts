// [log], [cluster], [config]: what is written down, who else handles requests, where options come from.

import type { Option } from '../option.js'
import { BOOL, MILLISECONDS, PATH, PATHS, STRING, STRINGS } from './kinds.js'

const clusterPart = { section: 'cluster', userFile: false } as const

export const log = [
  {
    name: 'log_file',
    section: 'log',
    kind: PATH,
    default: '',
    hint: 'FILE',
    userFile: false,
    reloadable: true,
    doc: 'File of the error log. Empty is standard error, - is standard output. It is opened again on USR1.',
  },
  {
    name: 'log_format',
    section: 'log',
    kind: { type: 'enum', values: ['text', 'json'] },
    default: 'text',
    hint: 'NAME',
    reloadable: true,
    doc: 'Form of the lines of both logs.',
  },
  {
    name: 'log_level',
    section: 'log',
    kind: { type: 'enum', values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] },
    default: 'info',
    hint: 'LEVEL',
    reloadable: true,
    doc: 'Least important level that is logged.',
  },
  {
    name: 'access_log',
    section: 'log',
    kind: PATH,
    default: '',
    hint: 'FILE',
    userFile: false,
    reloadable: true,
    doc: 'File of the access log, one line for each request and each connection. Empty is none, - is standard output. It is opened again on USR1.',
  },
] as const satisfies readonly Option[]

export const cluster = [
  {
    ...clusterPart,
    name: 'cluster_nodes',
    letters: ['C'],
    kind: STRINGS,
    default: '',
    hint: 'NAME,...|*',
    doc: 'Nodes that handle the requests. * is whoever answers a broadcast on the bus.',
  },
  {
    ...clusterPart,
    name: 'cluster_secrets',
    letters: ['s'],
    kind: STRING,
    default: '',
    hint: '@FILE|env:NAME',
    perNode: true,
    secret: true,
    doc: 'Secret shared with the cluster nodes, or one for each. Empty is no security. The command line takes @FILE or env:NAME only, because anybody can read it; a configuration file that holds a secret must be readable by its owner alone.',
  },
  {
    ...clusterPart,
    name: 'cluster_bus',
    kind: STRINGS,
    default: 'nats://127.0.0.1:4222',
    hint: 'URL,...',
    doc: 'Servers of the message bus.',
  },
  {
    ...clusterPart,
    name: 'cluster_name',
    kind: STRING,
    default: 'default',
    hint: 'NAME',
    doc: 'Name of the cluster; clusters on one bus do not see each other.',
  },
  {
    ...clusterPart,
    name: 'node_name',
    kind: STRING,
    default: '',
    hint: 'NAME',
    doc: "This node's name. Empty is the host name.",
  },
  {
    ...clusterPart,
    name: 'cluster_heartbeat',
    kind: { ...MILLISECONDS, min: 10 },
    default: '200ms',
    hint: 'TIME',
    doc: 'Time between the heartbeats of a node. Three missed ones eject it.',
  },
  {
    ...clusterPart,
    name: 'cluster_accept_timeout',
    kind: { ...MILLISECONDS, min: 1 },
    default: '250ms',
    hint: 'TIME',
    doc: 'Time within which a node accepts a request.',
  },
  {
    ...clusterPart,
    name: 'cluster_claim',
    kind: BOOL,
    default: false,
    doc: 'A node asks before it runs a request. Buys retries for handlers that are not idempotent, for one more round trip.',
  },
] as const satisfies readonly Option[]

export const config = [
  {
    name: 'config',
    section: 'config',
    key: 'file',
    letters: ['c'],
    kind: PATHS,
    default: '',
    hint: 'FILE,...',
    doc: 'Configuration files that join the chain. One that a file names and that does not exist is skipped.',
  },
  {
    name: 'no_config',
    section: 'config',
    kind: BOOL,
    default: false,
    noFile: true,
    doc: 'Read no configuration file but those given by config, and none that they name.',
  },
  {
    name: 'print_config',
    section: 'config',
    kind: BOOL,
    default: false,
    noFile: true,
    doc: 'Print every value with its origin and exit.',
  },
  {
    name: 'check_config',
    section: 'config',
    kind: BOOL,
    default: false,
    noFile: true,
    doc: 'Resolve everything without serving and exit.',
  },
  {
    name: 'json',
    section: 'config',
    kind: BOOL,
    default: false,
    noFile: true,
    doc: 'Answer of gaidaros status as JSON.',
  },
] as const satisfies readonly Option[]
