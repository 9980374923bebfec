"""How a newcomer takes up a network's newest certified state, and how others serve it.

A newcomer verifies the chain of epoch certificates from genesis, or from an end that its operator
trusts; fetches the newest snapshot that somebody serves, page by page from several peers; and
compares it with the certified root. Nobody who answers has to be trusted: a lie shows, costs the
liar its place among those asked, and costs the newcomer some time.

The modules: `wire` has the forms and limits of what is asked and told, `serving` answers, `asking`
puts one question to one peer, `company` knows whom to ask, `chain` fetches certificates, `pages`
fetches a snapshot, `arrival` puts them together, `store` keeps what is proven, `progress` tells how
far it is, and `behind` notices that a running node cannot catch up any more.
"""
