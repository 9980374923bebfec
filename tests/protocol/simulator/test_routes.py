from protocol.simulator.routes import Route, routes_from

NO_CUTS: dict[tuple[int, int], int] = {}


def regions(pair: tuple[int, int]) -> int:
    return 10 * pair[0] + pair[1]


def test_without_cuts_every_way_is_direct() -> None:
    assert routes_from(1, 3, NO_CUTS, regions) == {
        1: Route(1, 0, 0),
        0: Route(1, 1, 0),
        2: Route(1, 1, 0),
    }


def test_a_way_round_tells_its_last_relay_and_what_regions_add_before_it() -> None:
    cuts = {(0, 2): 1, (0, 3): 1, (1, 3): 1}
    routes = routes_from(0, 4, cuts, regions)
    assert routes[2] == Route(1, 2, regions((0, 1)))
    assert routes[3] == Route(2, 3, regions((0, 1)) + regions((1, 2)))


def test_what_no_way_leads_to_is_missing() -> None:
    assert set(routes_from(0, 3, {(0, 2): 1, (1, 2): 1}, regions)) == {0, 1}
