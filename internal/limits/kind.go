package limits

// Class is what is limited: each has a bucket of its own.
type Class uint8

// The classes of requests.
const (
	Commands Class = iota
	Queries
	Connects // of readers that then stay: see also Enter
	classes
)

// Of is whose bucket it is.
type Of uint8

// The holders of buckets.
const (
	User Of = iota
	Key
	Address
	holders
)

// kind is a holder and a class: the buckets of one kind have one rate.
type kind uint8

const kinds = int(holders) * int(classes)

func kindOf(of Of, class Class) kind { return kind(uint8(of)*uint8(classes) + uint8(class)) }

// The names of what refuses: the policies that clients see, and the values of the metric's label.
const (
	policyQuota          = "quota"
	policyReadersUser    = "readers-user"
	policyReadersAddress = "readers-address"
)

// policies are the names of kinds, in their order.
var policies = [kinds]string{
	"user-commands", "user-queries", "user-connects",
	"key-commands", "key-queries", "key-connects",
	"address-commands", "address-queries", "address-connects",
}
