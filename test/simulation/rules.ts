/**
 * What the simulation checks at every commit and every effect, and the words each check comes from. `CS` is the documents of
 * Cloud Services (classic) on in-place upgrades and swaps, `SF` Service Fabric's on application upgrades; `design` is the
 * design rule of src/fabric/README.md and docs/ that the fabric promises beyond them.
 */
export const RULES = {
  'revision grows': 'design: every commit has a revision above all before it, over restarts of the controller too',
  'instance once': 'design: nothing is lost or doubled: a role has each of its instances once',
  'process once':
    'design: nothing is lost or doubled: no two processes of one instance live, save on a node given up by rule',
  'incarnation grows': 'design: incarnations of an instance only grow',
  'lost node': 'design: nothing comes to a lost node before it has reported that what was moved has stopped',
  'ready before traffic':
    'CS: "an instance is returned to the load balancer once it is ready": it enters the table when it was seen ready as that start',
  'no traffic to the stopped':
    'design: the proxy chooses only from what is ready: no request is sent to what never was, or was stopped as planned',
  'drained before stop':
    'design: out of the table, acknowledged, idle or past the drain deadline; only then is the process told to stop',
  'requests not cut':
    'design: a table without a target comes when nothing is in flight on it, or its drain deadline is over',
  'one domain':
    'CS: upgrade domains are upgraded one at a time; nothing of the next is stopped before the one before it is back',
  'capacity floor': "design: before a domain goes down its roles' capacity floors must hold with it gone",
  'health gate': 'CS and SF: the walk goes on once the instances of the domain are ready on the new version',
  'walk says why':
    'SF: what stays unhealthy for the retry time-out fails; CS: the walk waits until enough is ready, and is seen to',
  'one walk': 'CS: a service has one update in progress at a time',
  'walk ends whole': 'CS: after the upgrade all instances of a role run one version',
  'rollback touches moved': 'CS: a rollback returns what was updated; instances that were not are left alone',
  'address of its slot': 'CS: each VIP reaches the deployment in its slot, all endpoints of both slots change together',
  'swap moves all': 'CS: a swap exchanges the production and staging deployments, and is undone by another',
  'prepared swap holds': 'design: a prepared swap bars every other change of its service',
  'certificates shown': 'design: every https address has a certificate to show, and the table holds no other',
  'specs kept': 'design: what an instance is on, or goes to, is known to its role',
  'operations end once': 'design: an operation that has ended does not change',
  'receipt adds up': 'design: arrived = answered + refused + broken + client-gone + open',
  'same key, same operation':
    "design: a request repeated under its Idempotency-Key is answered with the first one's operation",
  'commit before effect': 'design: what comes back from the journal is what was committed',
  'restart changes nothing':
    "design: membership changes only by an observation made since, or by a rule's decision, never by silence alone",
  'newest level wins': 'design: a peer is never told an older revision than it has applied',
  'told is told': 'design: every proxy ends with the table of the last commit',
  pure: 'design: apply gives the same answer for the same state, input and moment, and changes neither',
  'comes to rest': 'design: ticks at rest change nothing, and no clock is due that a tick has looked at',
  'everything ends': 'CS: when faults stop every operation ends, by itself or by what its operator is told to do',
  'rests as asked': 'design: at rest what is asked for serves, nothing else lives, and all of it is in the table',
} as const

export type Rule = keyof typeof RULES
