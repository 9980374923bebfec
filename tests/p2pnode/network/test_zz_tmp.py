import trio
from tests.support.networks import *
async def test_a():
    async def a(x,p): return p
    async with open_networks(2) as (one, other):
        other.serve("who", a)
        await connect(one, other)
        await one.request(other.account,"who",b"",3)
async def test_b():
    async with open_networks(3) as (one,middle,other):
        await connect(one,middle,other)
        nm={one.account:"one",middle.account:"middle",other.account:"other"}
        for i in range(12):
            await trio.sleep(0.5)
            now=trio.current_time()
            if one._parts.discovery.book.get(other.account): return
            for n in (one,middle,other):
                d=n._parts.discovery
                print(i,nm[n.account],[nm[e.account] for e in d.book.entries() if e.record],[(nm[l.account],round(l.next_exchange-now,1),l.joined,l.surplus) for l in n._parts.links.all()],n.counters())
        assert 0
