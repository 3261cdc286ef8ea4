// Package snapshot keeps a copy of an inventory beside it, so that an outage of the inventory stops no device that it would
// have allowed, and so that only refusals cost a lookup. A copy only ever allows: posture.Gate says how it is used.
//
// # The file
//
// A copy outlives the process in one JSON document, which the provider file reads too. Its members are in this order:
//
//	{"format":1,
//	"inventory":"jamf",
//	"settings":"9f86d081…",                     SHA-256 in hex of the provider's kind and account
//	"begun_at":"2026-01-31T15:04:05Z",          when the fetch began; whole seconds, UTC
//	"facts":["device.identifier","device.managed","device.type","data"],
//	"total":3,                                  what the inventory says, or null
//	"complete":true,                            its list had as many records as total
//	"devices":[
//	{"identifier":"A1","data":{…},"facts":{"device":{"type":"computer","managed":true,"groups":["staff"],"attributes":{"a":"1"}},"user":{"username":"ana"}}},
//	{"identifier":"A2","facts":{"device":{"managed":null}}},
//	{"identifier":"A3","duplicate":true,"facts":{"device":{"managed":null}}},
//	{"identifier":"A4","damaged":true,"facts":{"device":{"managed":null}}}
//	],
//	"end":true}
//
// In facts, the names are those of the vocabulary, and "data" stands for the inventory's own data for the certificate.
// A fact that is in facts and that a device does not have is unknown; one that is not in facts was not fetched, which says
// nothing. An unknown managed is null, because a file in which it is missing means a managed device. Texts, versions and
// times are strings, times with whole seconds, groups a list of strings, attributes an object of strings.
//
// A device with "duplicate": true had several records: its identifier is ambiguous. A lookup of one with "damaged": true fails,
// though the list has it, or has contradicted the list since. Neither has data, nor a fact except managed, so that a reader
// that ignores the marks refuses them.
//
// Where the inventory lists kinds of devices apart, "begun_at" is the older one, "facts" those that all have, "total" the
// sum or null, "complete" true if all are; and before "devices" stands
//
//	"lists":{"computer":{"begun_at":"…","facts":[…],"total":2,"complete":true},"mobiledevice":{…}},
//
// Each device has then, after its identifier, the list it belongs to: {"identifier":"A1","list":"computer",…}. An identifier
// may stand once in each list.
package snapshot
