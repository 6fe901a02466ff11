// What a frontend does itself: options that would do it otherwise are refused.

import { about, current, isDefault } from './assignments.js'
import type { Effective } from './effective.js'
import type { Problem } from './problem.js'
import { STREAMS } from './protocols.js'
import type { Assignment } from './source.js'

const ITS_OWN = /^(?:end_request|split_request|decode_request|encode_response|handle_batch)$/

/** Options that were given and that the frontend leaves no room for. */
export function ofFrontend(effective: Effective): Problem[] {
  const frontend = String(current(effective, 'frontend'))
  if (frontend === '') return []
  const own = [...effective.values()].filter(
    (assignment) => ITS_OWN.test(assignment.option.name) && !isDefault(assignment),
  )
  const protocol = effective.get('protocol') as Assignment
  return [
    ...own.map((each) => about(each, `wanted none with frontend ${frontend}, which does that`)),
    ...(STREAMS.test(String(protocol.value))
      ? []
      : [about(protocol, `wanted TCP, unixsocket or vsock with frontend ${frontend}`)]),
  ]
}
