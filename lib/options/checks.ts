// Rules that no single value shows: features of later versions, options that exclude each other, code and its origin.

import { isIP } from 'node:net'
import { isNetwork } from '../engine/network.js'
import { about, current, isDefault } from './assignments.js'
import { ofCompression } from './compression.js'
import { defaultValue } from './defaults.js'
import type { Effective } from './effective.js'
import { isCode } from './expression.js'
import { ofFrontend } from './frontend.js'
import { parsePlace } from './place.js'
import type { Problem } from './problem.js'
import { ofProtocol } from './protocols.js'
import { type Assignment, type Origin, originText } from './source.js'
import type { OptionName } from './table.js'
import { ofTls } from './tls.js'
import { insteadOf, isAvailable } from './unavailable.js'
import { writeValue } from './write.js'

/** Checks the effective values. `root`: the process runs as root. Returns every problem. */
export function checks(effective: Effective, root: boolean): Problem[] {
  const all = [...effective.values()]
  return [
    ...all.flatMap(notAvailable),
    ...all.flatMap((assignment) =>
      code(assignment, current(effective, 'allow_code') === true, root),
    ),
    ...exclusions(effective),
    ...perNode(effective),
  ]
}

const isSet = (effective: Effective, name: OptionName): boolean => {
  const assignment = effective.get(name)
  return assignment !== undefined && !isDefault(assignment)
}

function notAvailable(assignment: Assignment): Problem[] {
  const { option, value } = assignment
  const wanted = insteadOf(option, value)
  if (wanted !== undefined)
    return [about(assignment, `not available in this version; it must be ${wanted}`)]
  if (isAvailable(option) || isDefault(assignment)) return []
  const standard = writeValue(option, defaultValue(option)) || 'empty'
  return [about(assignment, `not available in this version; it must be ${standard}`)]
}

/** Code may come from where the person who runs the server or root put it, and as root only when allowed. */
function code(assignment: Assignment, allowed: boolean, root: boolean): Problem[] {
  const { option, value, origin } = assignment
  if (option.kind.type !== 'function' || typeof value !== 'string' || !isCode(value)) return []
  const refused = codeOrigin(origin)
  if (refused !== undefined) return [about(assignment, refused)]
  return root && !allowed
    ? [about(assignment, 'an arrow expression runs as root only with --allow-code')]
    : []
}

function codeOrigin(origin: Origin): string | undefined {
  const where = 'arrow expressions come from the command line, a -c file or a file owned by root'
  if (origin.kind === 'constructor') return `${where}; pass the function itself`
  if (origin.kind === 'environment') return where
  if (origin.kind !== 'file' || origin.trust === 'given') return undefined
  return origin.trust === 'system' && origin.rootOwned ? undefined : where
}

/** Values that exclude each other. */
function exclusions(effective: Effective): Problem[] {
  const get = (name: OptionName): Assignment => effective.get(name) as Assignment
  const problems: Problem[] = []
  if (isSet(effective, 'handle_request') && isSet(effective, 'handle_batch')) {
    const other = originText(get('handle_request').origin)
    problems.push(about(get('handle_batch'), `excludes handle_request (${other}); set one of them`))
  }
  for (const name of ['handler_class_args', 'handler_class_kwargs'] as const)
    if (isSet(effective, name) && !isSet(effective, 'handler_class'))
      problems.push(about(get(name), 'wanted a handler_class to give it to'))
  const version = current(effective, 'ip_version')
  const family = isIP(String(current(effective, 'host')))
  if (family !== 0 && version !== 0 && family !== version)
    problems.push(about(get('host'), `is an IPv${family} address, but ip_version is ${version}`))
  const [high, limit] = [
    current(effective, 'output_high_water'),
    current(effective, 'output_limit'),
  ]
  if (Number(limit) !== 0 && Number(high) > Number(limit))
    problems.push(about(get('output_high_water'), `wanted at most output_limit, ${limit} bytes`))
  const metrics = get('metrics')
  if (metrics.value !== '' && parsePlace(String(metrics.value)) === undefined)
    problems.push(about(metrics, 'wanted PORT, HOST:PORT or [IPv6]:PORT'))
  const allowed = get('proxy_allow_from')
  const strange = (allowed.value as readonly string[]).find((text) => !isNetwork(text))
  if (strange !== undefined)
    problems.push(about(allowed, `${strange}: wanted addresses and networks, such as 10.0.0.0/8`))
  return [
    ...problems,
    ...ofProtocol(effective),
    ...ofTls(effective),
    ...ofCompression(effective),
    ...ofFrontend(effective),
    ...nagle(get('tcp_nodelay'), get('disable_nagle')),
  ]
}

/** tcp_nodelay implies disable_nagle: one source that says the first and denies the second contradicts itself. */
function nagle(nodelay: Assignment, disabled: Assignment): Problem[] {
  const same = sourceOf(nodelay.origin) === sourceOf(disabled.origin)
  if (nodelay.value !== true || disabled.value !== false || !same) return []
  if (disabled.origin.kind === 'default') return []
  return [about(disabled, 'tcp_nodelay, from the same source, implies it')]
}

const sourceOf = (origin: Origin): string => (origin.kind === 'file' ? origin.file : origin.kind)

/** A list for a perNode option has one item for each cluster node. */
function perNode(effective: Effective): Problem[] {
  const nodes = current(effective, 'cluster_nodes') as readonly string[]
  return [...effective.values()].flatMap((assignment) => {
    const { option, value } = assignment
    if (!option.perNode || !Array.isArray(value)) return []
    const wrong = wrongList(value.length, nodes)
    return wrong === undefined ? [] : [about(assignment, wrong)]
  })
}

function wrongList(length: number, nodes: readonly string[]): string | undefined {
  if (nodes.length === 0) return 'wanted one value: a list needs cluster_nodes'
  if (nodes.includes('*')) return 'wanted one value: a list needs named cluster_nodes, not *'
  return length === nodes.length
    ? undefined
    : `has ${length} items for ${nodes.length} cluster nodes; wanted one value or one for each node`
}
