// Globals that are installed before Node's classes are loaded, which Node 20 does when they are first asked for.

import t from 'tap'
import {
  installGlobals,
  LightHeaders,
  LightRequest,
  LightResponse,
  partsOf,
} from '../../lib/fetch/index.js'

installGlobals()

const OURS = { Headers: LightHeaders, Request: LightRequest, Response: LightResponse }

const stand = (): boolean =>
  Object.entries(OURS).every(
    ([name, value]) => Object.getOwnPropertyDescriptor(globalThis, name)?.value === value,
  )

void t.test('they stay when Node’s are loaded', async (t) => {
  t.ok(stand())
  const response = new Response(new Blob(['x']))
  t.ok(partsOf(response)?.body, 'one of Node’s has the Blob')
  t.ok(stand())
  const theirs = await fetch('data:,text')
  t.ok(theirs instanceof Response)
  t.notOk(theirs instanceof class extends Response {}, 'a class of one’s own has only its own')
  t.ok(partsOf(theirs)?.body)
  t.ok(stand())
})
