// The measured handler of frontend fetch.
export default { fetch: () => new Response('Hello, World!') }
