// What the options of TLS want of each other; what stands in the files is lib/tls's.

import { about, current, isDefault } from './assignments.js'
import type { Effective } from './effective.js'
import type { Problem } from './problem.js'
import type { Assignment } from './source.js'
import type { OptionName } from './table.js'

/** Where handlers do not run in the loop, which alone could begin TLS in mid-connection. */
const ELSEWHERE = /^(?:thread|proc)/

/** Options of TLS that do not go together. */
export function ofTls(effective: Effective): Problem[] {
  const get = (name: OptionName): Assignment => effective.get(name) as Assignment
  const certificates = get('tls_cert').value as readonly string[]
  if (certificates.length === 0) return withoutTls(effective)
  const keys = get('tls_key')
  const { length } = keys.value as readonly string[]
  const problems: Problem[] = []
  if (length !== certificates.length)
    problems.push(
      about(
        keys,
        `has ${length} files for ${certificates.length} of tls_cert; wanted one for each`,
      ),
    )
  const verify = current(effective, 'tls_verify')
  const authority = get('tls_ca')
  if (verify !== 'none' && authority.value === '')
    problems.push(
      about(get('tls_verify'), `${verify} wanted a tls_ca to check certificates against`),
    )
  if (verify === 'none' && authority.value !== '')
    problems.push(about(authority, 'wanted tls_verify optional or required, but it is none'))
  const alpn = get('tls_alpn')
  const odd = (alpn.value as readonly string[]).find((name) => !/^[!-~]{1,255}$/.test(name))
  if (odd !== undefined)
    problems.push(about(alpn, `${JSON.stringify(odd)}: wanted names of 1 to 255 characters`))
  return [...problems, ...onRequest(effective)]
}

const withoutTls = (effective: Effective): Problem[] =>
  [...effective.values()].flatMap((assignment) =>
    assignment.option.section === 'tls' && !isDefault(assignment)
      ? [about(assignment, 'wanted a tls_cert to go with it')]
      : [],
  )

/** connection.startTls() is for a handler that sees one request after the other, in the loop. */
function onRequest(effective: Effective): Problem[] {
  const mode = effective.get('tls_mode') as Assignment
  if (mode.value !== 'starttls') return []
  const handlerType = String(current(effective, 'handler_type'))
  const problems: Problem[] = []
  if (ELSEWHERE.test(handlerType))
    problems.push(
      about(mode, `starttls wanted handler_type "", gthread or gthreadpool; it is ${handlerType}`),
    )
  const compress = current(effective, 'compress')
  if (compress !== 'none')
    problems.push(about(mode, `starttls wanted compress none, which is ${compress}`))
  const batch = effective.get('handle_batch') as Assignment
  if (!isDefault(batch))
    problems.push(about(mode, 'starttls wanted handle_request, not handle_batch'))
  return problems
}
