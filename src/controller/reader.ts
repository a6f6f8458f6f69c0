import type { DeploymentView } from '../contracts/api/deployment.ts'
import type { OperationView } from '../contracts/api/operation.ts'
import type { ServiceView } from '../contracts/api/service.ts'
import type { Moment } from '../core/clock.ts'
import { own } from '../core/own.ts'
import type { FabricState } from '../fabric/state.ts'
import type { Slot } from '../model/slot.ts'
import { viewDeployment } from './views/deployment-view.ts'
import { viewOperation } from './views/operation-view.ts'
import { viewService } from './views/service-view.ts'

/** What there is at one moment; null for what is not there. */
export interface Reader {
  service(name: string): ServiceView | null
  deployment(service: string, slot: Slot): DeploymentView | null
  operation(id: string): OperationView | null
}

export function readerOf(state: FabricState, now: Moment): Reader {
  return {
    service: name => {
      const service = own(state.services, name)
      return service === undefined ? null : viewService(state, service, now)
    },
    deployment: (service, slot) => {
      const deployment = state.deployments[own(state.services, service)?.slots[slot] ?? '']
      return deployment === undefined ? null : viewDeployment(state, deployment, slot, now)
    },
    operation: id => {
      const operation = own(state.operations, id)
      return operation === undefined ? null : viewOperation(state, operation)
    },
  }
}
