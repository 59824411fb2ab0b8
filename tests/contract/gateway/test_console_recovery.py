"""What a recovery may rest on, as its page offers it."""

import re

from cavra.recovery.v1 import recovery_pb2
from cavra_service.wire import timestamp

from tests.support.console import page, visiting
from tests.support.deliveries import delivery
from tests.support.fake_services import NOW, FakeServices
from tests.support.samples import draft, sample


async def test_a_recovery_may_rest_on_what_its_connector_took_whatever_others_of_the_same_delivery_did(
    fakes: FakeServices,
) -> None:
    (playbook,) = await fakes.write("recovery", draft(sample("playbook")))
    recovery = recovery_pb2.Recovery(
        playbook_id=playbook.id, provider="webhook", state="open", last_failure_at=timestamp(NOW)
    )
    fakes.script.answers["ListRecoveries"] = recovery_pb2.ListRecoveriesResponse(recoveries=[recovery])
    taken = await fakes.write(
        "delivery",
        delivery(NOW, webhook="delivered"),
        delivery(NOW, webhook="delivered", splunk="failed"),
    )
    await fakes.write(
        "delivery", delivery(NOW, webhook="failed", splunk="delivered"), delivery(NOW, splunk="failed")
    )
    async with visiting(fakes.url, fakes.installation, "olga", "operator") as olga:
        text = await page(olga, f"/close-recovery?playbook_id={playbook.id}&provider=webhook")
    offered = re.findall(r'name="verification_refs" value="(rcd-[^"]+)"', text)
    assert sorted(offered) == sorted(one.id for one in taken)
