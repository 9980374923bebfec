import pytest

from p2pnode.lab.links import Links
from p2pnode.lab.real import choice
from p2pnode.lab.real.choice import Choice, choose
from p2pnode.lab.real.shape import shape_of
from p2pnode.lab.testnet import LabError
from protocol.simulator.network import Conditions, Delay, Law
from protocol.units import MILLISECOND
from tests.p2pnode.lab.real.builders import UNIFORM, scenario

WHOLE, DELAYED = shape_of(scenario(), 2), shape_of(scenario(conditions=UNIFORM), 2)

TAIL = Conditions(Delay(Law.LONG_TAILED, 20 * MILLISECOND, 60 * MILLISECOND))
TAILED = shape_of(scenario(conditions=TAIL), 2)


@pytest.fixture
def able(monkeypatch):
    monkeypatch.setattr(choice, "why_impossible", lambda: None)
    monkeypatch.setattr(choice, "why_no_netem", lambda: "no netem: the kernel knows none")


@pytest.fixture
def unable(monkeypatch):
    monkeypatch.setattr(choice, "why_impossible", lambda: "needs nft")


@pytest.mark.usefixtures("able")
def test_namespaces_are_taken_where_they_can_be_had(monkeypatch, tmp_path):
    monkeypatch.setattr(choice, "TUN_DEVICE", tmp_path)
    found = [choose(Links.AUTO, shape).wires for shape in (WHOLE, DELAYED)]
    assert found == ["bridge", "switch"]


@pytest.mark.usefixtures("able")
def test_without_tunnel_devices_only_whole_links_can_be_had(monkeypatch, tmp_path):
    monkeypatch.setattr(choice, "TUN_DEVICE", tmp_path / "missing")
    assert choose(Links.AUTO, WHOLE).wires == "bridge"
    assert choose(Links.AUTO, DELAYED).wires == "shaper"


@pytest.mark.usefixtures("able")
def test_the_kernel_shapes_links_where_it_can_and_otherwise_the_switch_says_why(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(choice, "TUN_DEVICE", tmp_path)
    found = choose(Links.AUTO, DELAYED)
    assert (found.wires, found.reason) == ("switch", "no netem: the kernel knows none")
    monkeypatch.setattr(choice, "why_no_netem", lambda: None)
    found = choose(Links.AUTO, DELAYED)
    assert (found.wires, found.reason) == ("netem", "the kernel has netem")
    assert choose(Links.AUTO, TAILED).wires == "switch"
    assert choose(Links.AUTO, WHOLE).wires == "bridge"


@pytest.mark.usefixtures("unable")
def test_the_shaper_takes_their_place_and_says_why_unless_they_were_asked_for():
    expected = Choice(Links.SHAPER, "shaper", "namespaces: needs nft")
    assert choose(Links.AUTO, WHOLE) == expected
    with pytest.raises(LabError, match="needs nft"):
        choose(Links.NAMESPACES, WHOLE)


def test_the_shaper_can_be_asked_for_anywhere():
    assert choose(Links.SHAPER, DELAYED) == Choice(Links.SHAPER, "shaper", "asked for")
