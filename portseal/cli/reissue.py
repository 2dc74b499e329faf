"""`portseal reissue`: everything of an old authority, under a new one."""

import click

from portseal.cli.acting import Acting, officer_options
from portseal.cli.output import json_option, show
from portseal.wiring import House
from ra_portal.console.act import Act


@click.command("reissue")
@click.argument("old")
@click.option("--to", "new", help="The new authority; default: the one that issues now.")
@click.option("--later", is_flag=True, help="Only plan it: the worker does it.")
@officer_options
@json_option
def reissue(old: str, new: str | None, later: bool, acting: Acting, as_json: bool) -> None:
    """Issue every live certificate of the authority OLD again under a new one.

    The same keys, subjects and ends; the old certificates stay valid, and the new ones end with
    them. The job is recorded first: when this command dies, the worker goes on with it. A card
    that is frozen has its turn when it is unfrozen: the worker sees to that, too.
    """
    with House.opened() as house:
        opened = house.authorities
        new = new or opened.current
        old = opened[old].name
        authority = opened[new].authority
        act = Act("authority.reissue", "authority.reissue", old, {"under": new})
        job = house.reissue.plan(old, new, acting.authorise(house, act).actor)
        done = house.reissue.progress(job) if later else house.reissue.run(job, authority)
    told = {
        "job": job,
        "total": done.total,
        "reissued": done.reissued,
        "ended": done.ended,
        "refused": done.refused,
        "left": done.left,
        "on_hold": done.held,
    }
    show(told, as_json)
