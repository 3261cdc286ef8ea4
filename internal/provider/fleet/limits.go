package fleet

const (
	// atOnce is how many requests run at once, perSecond how many are sent in a second, and burst how many of them at once.
	// Fleet limits only logins and the requests of its agents; these keep a small server from being overrun.
	atOnce    = 10
	perSecond = 50
	burst     = 50

	// searchPage is how many hosts a page of a search has, and searchPages how many pages a lookup reads. A search for a serial
	// number finds one host, and those whose names or addresses contain it.
	searchPage  = 50
	searchPages = 4

	// listPage is how many hosts a page of a list has. Pages are numbered, so that the size can only be halved where the number
	// of hosts before the page stays a multiple of it: it is a power of two.
	listPage = 512
)
