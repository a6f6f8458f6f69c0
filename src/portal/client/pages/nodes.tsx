import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { NodeView } from '../../../contracts/api/node.ts'
import { act } from '../core/act.ts'
import { useQuery } from '../core/query.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Callout, Empty, State } from '../ui/parts.tsx'
import type { Look } from '../ui/states.ts'

const USE = {
  open: { text: 'Open', icon: 'ready', tone: 'good' },
  draining: { text: 'Draining', icon: 'stopping', tone: 'moving' },
  drained: { text: 'Drained', icon: 'paused', tone: 'quiet' },
  lost: { text: 'Lost', icon: 'cross', tone: 'bad' },
} as const satisfies Record<NodeView['use'], Look>

const STATUS = {
  online: { text: 'Online', icon: 'ready', tone: 'good' },
  offline: { text: 'Offline', icon: 'cross', tone: 'bad' },
} as const satisfies Record<NodeView['status'], Look>

export function NodesPage(): JSX.Element {
  const { data, error } = useQuery<{ nodes: readonly NodeView[] }>('/v1/nodes')
  const [draining, setDraining] = useState<string | null>(null)
  return (
    <>
      <h1>Nodes</h1>
      {data === null && error !== null ? <Callout tone="bad">{error.message}</Callout> : null}
      {data?.nodes.length === 0 ? <Empty>No agent has joined yet.</Empty> : null}
      <div class="table-box" tabIndex={0} role="region" aria-label="nodes">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">Agent</th>
              <th scope="col">Use</th>
              <th scope="col">Address</th>
              <th scope="col" class="number">
                Fault domain
              </th>
              <th scope="col" class="number">
                Instances
              </th>
              <th scope="col">
                <span class="hidden">actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {data?.nodes.map(node => (
              <tr key={node.name}>
                <th scope="row">{node.name}</th>
                <td>
                  <State look={STATUS[node.status]} />
                </td>
                <td>
                  <State look={USE[node.use]} />
                </td>
                <td class="mono">{node.host}</td>
                <td class="number">{node.faultDomain}</td>
                <td class="number">{node.instances}</td>
                <td class="actions">
                  {node.use === 'open' ? (
                    <Button kind="quiet" label={`drain ${node.name}`} onClick={() => setDraining(node.name)}>
                      Drain…
                    </Button>
                  ) : (
                    <Button
                      kind="quiet"
                      label={`use ${node.name} again`}
                      reason={node.use === 'lost' ? 'it comes back by itself when its agent does' : null}
                      onClick={() => void act('Undrain', 'POST', `/v1/nodes/${encodeURIComponent(node.name)}/undrain`)}
                    >
                      Use again
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {draining === null ? null : (
        <Confirm
          title={`Drain ${draining}`}
          go="Drain"
          onGo={() => void act('The drain', 'POST', `/v1/nodes/${encodeURIComponent(draining)}/drain`)}
          onClose={() => setDraining(null)}
        >
          Its instances move to other nodes, one upgrade domain at a time, and nothing new is placed on it.
        </Confirm>
      )}
    </>
  )
}
