// An identity provider on loopback for the tests: prints its port, then serves until it is ended.
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

const [back, out] = process.argv.slice(2)
const people = {
  ann: { preferred_username: 'ann', email: 'ann@example.org', groups: ['ludb-editors', 'ludb-personal'] },
  bo: { preferred_username: 'bo', email: 'bo@example.org', groups: ['others'] },
  admin: { preferred_username: 'admin', email: 'admin@example.org', groups: ['ludb-editors'] },
}
let handle = (_, answer) => answer.end()
const server = createServer((request, answer) => handle(request, answer))
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'ludb', client_secret: 'a-client-secret', redirect_uris: [back], post_logout_redirect_uris: [out],
    }],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email'] },
    cookies: { keys: ['test'] },
    pkce: { required: () => true },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  })
  handle = provider.callback()
  console.log(issuer)
})
process.stdin.on('end', () => process.exit(0)).resume()
