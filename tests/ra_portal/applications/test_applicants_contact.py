"""The applicant's telephone number and mail address stand nowhere in clear."""

import pytest
from sqlalchemy import update

from kernel.refusals import Unprocessable
from ra_portal.applications import applicants_contact
from ra_portal.applications.tables import applications
from ra_portal.imports.columns import ImportKind
from ra_portal.papers.documents import Upload
from ra_portal.people.contact import Contact
from ra_portal.people.identity import HolderKind, Role
from ra_portal.spreadsheets.writing import SheetFormat, write
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, personal_data_of

PHONE, EMAIL = "0574-5550 9876", "telltale@sample.example"
HEAD = ["企业名称", "统一社会信用代码", "海关注册编码", "法定代表人", "所在地区"]
HEAD += ["电话", "电子邮箱"]


def test_it_is_sealed_shown_to_who_decides_and_corrected(any_portal: PortalWorld) -> None:
    portal = any_portal
    services = portal.services
    made = services.registration.apply(samples.details(phone=PHONE, email=EMAIL), samples.scan())
    application = made.application
    officer = portal.officer(Role.REGISTRAR, Role.APPROVER)
    assert services.queue.review(officer, application.id).contact == Contact(PHONE, EMAIL)
    assert services.registration.contact_of(application) == Contact(PHONE, EMAIL)
    services.registration.send_back(officer, application.id, "the telephone is wrong")
    corrected = services.registration.resubmit(
        application.id, samples.details(phone="0574-5550 0000", email=EMAIL), None
    )
    assert corrected.previous == {"phone": None}
    found = services.queue.review(officer, application.id).contact
    assert found == Contact("0574-5550 0000", EMAIL)
    written = portal.everything_written()
    for clear in (PHONE, EMAIL, "0574-5550 0000"):
        assert clear not in written


def test_it_cannot_be_moved_to_another_application(portal: PortalWorld) -> None:
    personal = personal_data_of(portal.authority.token)
    sealed = applicants_contact.seal(personal, Contact(PHONE, EMAIL), "a" * 32)
    with pytest.raises(Unprocessable, match=r"secret\.not-authentic"):
        applicants_contact.opened(personal, sealed, "b" * 32)


def test_an_import_holds_nothing_in_clear(any_portal: PortalWorld) -> None:
    portal = any_portal
    imports, officer = portal.services.imports, portal.officer(Role.REGISTRAR)
    names = ("name", "uscc", "customs_code", "legal_representative", "region")
    bodies = [
        [*(str(samples.details(number)[name]) for name in names), PHONE, EMAIL]
        for number in range(1, 400)
    ]
    upload = Upload(write([HEAD, *bodies], SheetFormat.XLSX), "导入.xlsx")
    preview = imports.preview(officer, ImportKind.ENTERPRISES, upload)
    assert imports.show(officer, preview.id).rows == preview.rows
    assert len(portal.column("imports", "content")[0]) > 2 * 60_000  # more than one piece
    for clear in (PHONE, EMAIL, "王样本"):
        assert clear not in portal.everything_written()
    assert imports.confirm(officer, preview.id) == 399
    for clear in (PHONE, EMAIL):
        assert clear not in portal.everything_written()


def test_what_stood_in_clear_before_is_sealed_by_the_worker(any_portal: PortalWorld) -> None:
    portal = any_portal
    application, waiting = portal.approved(1), portal.approved(2)
    assert application.enterprise_id is not None
    old = {"contact_cipher": None, "clear_phone": PHONE, "clear_email": EMAIL}
    with portal.authority.database.transaction() as connection:
        mine = update(applications).where(applications.c.id == application.id)
        connection.execute(mine.values(old))
        # Corrected since the change: what is sealed is newer than what is not.
        newer = update(applications).where(applications.c.id == waiting.id)
        connection.execute(newer.values(clear_phone=PHONE))
    holder = portal.services.registration.card_of(application.id)
    assert holder is not None
    assert holder.holder.kind is HolderKind.LEGAL_PERSON
    with portal.authority.database.reading() as connection:
        assert portal.services.contacts.of(connection, holder.holder) == Contact(PHONE, EMAIL)
    assert portal.services.contacts.seal_clear_ones() == 2
    assert portal.services.contacts.seal_clear_ones() == 0
    with portal.authority.database.reading() as connection:
        assert portal.services.contacts.of(connection, holder.holder) == Contact(PHONE, EMAIL)
    kept = portal.services.registration.contact_of(waiting)
    assert kept.phone == samples.details()["phone"]
    for clear in (PHONE, EMAIL):
        assert clear not in portal.everything_written()
