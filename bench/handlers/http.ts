// The measured handler of HTTP: a body, to which the server writes the head.
export const endRequest = 'http'

export const handleRequest = () => 'Hello, World!'
