"""What a client of another language sees of this SDK's workflows, activities and Nexus operations: one JSON object.

Usage: calls.py ADDRESS TASK_QUEUE NEXUS_ENDPOINT
"""

import asyncio
import json
import sys
import uuid
from datetime import timedelta

import nexusrpc
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError

ADDRESS, TASK_QUEUE, ENDPOINT = sys.argv[1:]


@nexusrpc.service(name="desk")
class Desk:
    ask: nexusrpc.Operation[str, str] = nexusrpc.Operation(name="ask-op")


def chain(error):
    messages = []
    while error is not None:
        messages.append([getattr(error, "message", str(error)), getattr(error, "type", None)])
        error = error.__cause__
    return messages


async def main() -> None:
    client = await Client.connect(ADDRESS)
    seen = {}
    handle = await client.start_workflow(
        "order_flow", args=["Py", [{"sku": "a", "count": 1}]], id=str(uuid.uuid4()), task_queue=TASK_QUEUE
    )
    await handle.signal("add-item", {"sku": "b", "count": 2})
    seen["count"] = [await handle.query("Order.count"), await handle.query("Order.count", "b")]
    seen["note"] = await handle.execute_update("set_note", "first")
    try:
        await handle.execute_update("nobody")
    except WorkflowUpdateFailedError as error:
        seen["unknown update"] = chain(error.cause)
    await handle.signal("close")
    seen["order"] = await handle.result()
    seen["status"] = (await handle.describe()).status.name

    async def execute(name, *args):
        return await client.execute_workflow(
            name, args=list(args), id=str(uuid.uuid4()), task_queue=TASK_QUEUE
        )

    seen["echo"] = await execute("echoes", {"deep": [1, 2.5, "☃", None, True]}, None)
    seen["bytes"] = list(await execute("echoes_one", b"\x00\x01\xff"))
    seen["nothing"] = await execute("nothing")
    try:
        await execute("fails")
    except WorkflowFailureError as error:
        seen["failure"] = chain(error.cause)
        seen["details"] = list(error.cause.details)
    seen["activity"] = await client.execute_activity(
        "charge-card",
        args=["py", 3],
        id=str(uuid.uuid4()),
        task_queue=TASK_QUEUE,
        start_to_close_timeout=timedelta(seconds=10),
    )
    nexus = client.create_nexus_client(service=Desk, endpoint=ENDPOINT)
    seen["nexus"] = await nexus.execute_operation(
        Desk.ask, "py", id=str(uuid.uuid4()), schedule_to_close_timeout=timedelta(seconds=10)
    )
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main())
