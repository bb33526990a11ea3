"""What the other side offers: workflows, activities and a Nexus service, made with another language's SDK.

Usage: worker.py ADDRESS TASK_QUEUE TASK_QUEUE_OF_THE_OTHER_SIDE NAMESPACE...
Says "ready" when it polls, and ends with its standard input.
"""

import asyncio
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, List, Optional

import nexusrpc
import nexusrpc.handler
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError
from temporalio.worker import Worker

ADDRESS, TASK_QUEUE, OTHER, *NAMESPACES = sys.argv[1:]


@dataclass
class Item:
    sku: str
    count: int


@dataclass
class Order:
    customer: str
    items: List[Item] = field(default_factory=list)
    note: Optional[str] = None


@workflow.defn(name="PyOrder")
class PyOrder:
    @workflow.init
    def __init__(self, customer: str, items: List[Item]) -> None:
        self.order = Order(customer, list(items))
        self.open = True

    @workflow.run
    async def run(self, customer: str, items: List[Item]) -> Order:
        await workflow.wait_condition(lambda: not self.open)
        return self.order

    @workflow.signal(name="add-item")
    def add_item(self, item: Item) -> None:
        self.order.items.append(item)

    @workflow.signal
    def close(self) -> None:
        self.open = False

    @workflow.query(name="Order.count")
    def count(self, sku: Optional[str] = None) -> int:
        return sum(item.count for item in self.order.items if sku is None or item.sku == sku)

    @workflow.update
    async def set_note(self, note: str) -> Optional[str]:
        before, self.order.note = self.order.note, note
        return before

    @set_note.validator
    def check_note(self, note: str) -> None:
        if note == "":
            raise ApplicationError("an empty note", type="Empty")


@workflow.defn(name="PyFails")
class PyFails:
    @workflow.run
    async def run(self) -> None:
        try:
            raise ValueError("the root")
        except ValueError as root:
            raise ApplicationError("it failed", {"detail": 1}, 2, type="PyKind") from root


@workflow.defn(name="PyEcho")
class PyEcho:
    @workflow.run
    async def run(self, value: Any) -> Any:
        return value


@workflow.defn(name="PyCancelled")
class PyCancelled:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(3600)


@workflow.defn(name="PyCalls")
class PyCalls:
    """Reaches over to the other side: activity, child, signal, failures."""

    @workflow.run
    async def run(self, signalled: str) -> List[Any]:
        charged = await workflow.execute_activity(
            "charge-card",
            args=["python", 7],
            task_queue=OTHER,
            start_to_close_timeout=timedelta(seconds=10),
        )
        try:
            await workflow.execute_activity(
                "refuse", "no", task_queue=OTHER, start_to_close_timeout=timedelta(seconds=10)
            )
        except ActivityError as error:
            refused = describe(error.cause)
        child = await workflow.execute_child_workflow(
            "echoes", args=[{"from": "python"}, None], id=f"{workflow.info().workflow_id}-child", task_queue=OTHER
        )
        try:
            await workflow.execute_child_workflow(
                "fails", id=f"{workflow.info().workflow_id}-failing", task_queue=OTHER
            )
        except ChildWorkflowError as error:
            failed = describe(error.cause)
        await workflow.get_external_workflow_handle(signalled).signal("close")
        return [charged, refused, child, failed]


def describe(error: Optional[BaseException]) -> List[Any]:
    """Message, type and details of an error and of its causes."""
    chain = []
    while error is not None:
        chain.append([getattr(error, "message", str(error)), getattr(error, "type", None), list(getattr(error, "details", []))])
        error = error.__cause__
    return chain


@activity.defn(name="py.charge card")
async def charge(account: str, cents: int) -> dict:
    return {"account": account, "cents": cents, "in_workflow": activity.info().workflow_id is not None}


@activity.defn
async def py_fail() -> None:
    raise ApplicationError("refused", {"why": "python"}, type="PyRefused", non_retryable=True) from KeyError("k")


@activity.defn
async def py_reverse(data: bytes) -> bytes:
    return bytes(reversed(data))


@activity.defn
async def py_wait() -> None:
    try:
        while True:
            activity.heartbeat("waiting")
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        raise


@nexusrpc.service
class PyDesk:
    ask: nexusrpc.Operation[str, str]
    refuse: nexusrpc.Operation[str, str]


@nexusrpc.handler.service_handler(service=PyDesk)
class PyDeskHandler:
    @nexusrpc.handler.sync_operation
    async def ask(self, ctx: nexusrpc.handler.StartOperationContext, question: str) -> str:
        return f"{question}? {ctx.headers.get('x-trace', 'python')}"

    @nexusrpc.handler.sync_operation
    async def refuse(self, ctx: nexusrpc.handler.StartOperationContext, why: str) -> str:
        raise nexusrpc.OperationError(why, state=nexusrpc.OperationErrorState.FAILED)


async def main() -> None:
    workers = [
        Worker(
            await Client.connect(ADDRESS, namespace=namespace),
            task_queue=TASK_QUEUE,
            workflows=[PyOrder, PyFails, PyEcho, PyCancelled, PyCalls],
            activities=[charge, py_fail, py_reverse, py_wait],
            nexus_service_handlers=[PyDeskHandler()],
            max_heartbeat_throttle_interval=timedelta(milliseconds=50),
            default_heartbeat_throttle_interval=timedelta(milliseconds=50),
        )
        for namespace in NAMESPACES
    ]
    polling = [asyncio.create_task(worker.run()) for worker in workers]
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for worker in workers:
        await worker.shutdown()
    await asyncio.gather(*polling)


if __name__ == "__main__":
    asyncio.run(main())
