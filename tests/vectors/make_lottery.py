"""Independent generator: decimal logarithms instead of squaring."""
import hashlib, json, decimal, random
from decimal import Decimal as D
decimal.getcontext().prec=80
LN2=D(2).ln()
def nl(h):
    x=(D(64)-D(h+1).ln()/LN2)*D(2**40)
    r=x.to_integral_value(decimal.ROUND_HALF_EVEN)
    if abs(x-r)<D(10)**-60: return int(r)
    return int(x.to_integral_value(decimal.ROUND_CEILING))
def sc(seed,i,w):
    h=int.from_bytes(hashlib.blake2b(b"p2pnode/lottery/v1\0"+i,digest_size=8,key=seed).digest(),'big')
    return nl(h)*2**64//w
def dr(seed,ws,k): return [i for _,i in sorted((sc(seed,i,w),i) for i,w in ws)[:k]]
r=random.Random(20240601)
nums=[0,1,2,2**32-1,2**32,2**63-2,2**63-1,2**63,2**63+1,2**64-2,2**64-1]+[9223372037971167484,9223372183817275074,9223372038354927123,9223372066090282893]+[r.getrandbits(64) for _ in range(9)]
scores=[]
for w in (1,2,1000003,2**53+1,2**64-1):
    s,i=r.randbytes(32),r.randbytes(32)
    scores.append({"seed":s.hex(),"identifier":i.hex(),"weight":str(w),"score":str(sc(s,i,w))})
draws=[]
def add(seed,ws,k,note):
    draws.append({"case":note,"seed":seed.hex(),"count":k,"weights":[[i.hex(),str(w)] for i,w in ws],"drawn":[i.hex() for i in dr(seed,ws,k)]})
add(bytes(32),[(bytes([i])*32,i+1) for i in range(10)],4,"ten weights from 1 to 10")
add(b"\xff"*32,[(r.randbytes(32),r.randrange(1,2**64)) for _ in range(20)],20,"everyone, wide weights")
add(r.randbytes(32),[(r.randbytes(32),r.choice([1,2**64-1])) for _ in range(12)],6,"lowest and highest weights")
add(r.randbytes(32),[(r.randbytes(32),5)],3,"one account, more seats")
add(r.randbytes(32),[],1,"nobody")
json.dump({"source":"computed with 80-digit decimal logarithms, independently of the implementation; numbers are decimal strings, bytes hexadecimal",
"negative_log2":[{"number":str(n),"value":str(nl(n))} for n in nums],"scores":scores,"draws":draws},open('/work/main/tests/vectors/lottery.json','w'),indent=1)
open('/work/main/tests/vectors/lottery.json','a').write("\n")
