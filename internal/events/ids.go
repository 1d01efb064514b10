package events

import (
	"fmt"

	"github.com/google/uuid"
)

// MaxBatch is how many notifications one batch call may hold. It must stay
// below 2^12, the room for an entry's index in its id.
const MaxBatch = 1000

// namespace keeps derived ids apart from those of other programs (RFC 9562, 5.5).
var namespace = uuid.MustParse("6f1c7b52-8a0e-4d0b-9d6f-0f5b8c1f7a11")

// KeyedID is the command id of a request with an Idempotency-Key: the same
// subject, route and key always give the same id (UUIDv5).
func KeyedID(subject, route, key string) uuid.UUID {
	return uuid.NewSHA1(namespace, fmt.Appendf(nil, "%q %q %q", subject, route, key))
}

// EventID is the id of the n-th event that one execution of a command appends
// to a stream (UUIDv5). Appending it again is recognised by the event store.
func EventID(attempt uuid.UUID, stream StreamName, n int) uuid.UUID {
	return uuid.NewSHA1(namespace, fmt.Appendf(nil, "%s %q %d", attempt, string(stream), n))
}

// BatchID turns any id into a batch's: a version-8 UUID (RFC 9562, 5.8) whose
// low 12 bits are zero.
func BatchID(id uuid.UUID) uuid.UUID {
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	id[14] &= 0xf0
	id[15] = 0
	return id
}

// BatchEntryID is the id of a batch's notification: the batch's id with its low
// 12 bits replaced by the entry's index, so that the stream a notification was
// born in is computed and never looked up.
func BatchEntryID(batch uuid.UUID, index int) uuid.UUID {
	batch[14] = batch[14]&0xf0 | byte(index>>8&0x0f)
	batch[15] = byte(index & 0xff)
	return batch
}

// BatchEntryIndex is the inverse of BatchEntryID.
func BatchEntryIndex(id uuid.UUID) int {
	return int(id[14]&0x0f)<<8 | int(id[15])
}

// BirthStream is the stream that holds a notification's Published: its batch's
// for an id made by BatchEntryID, its own for any other.
func BirthStream(id uuid.UUID) StreamName {
	if id.Version() == 8 {
		return BatchStream(BatchID(id))
	}
	return NotificationStream(id)
}
