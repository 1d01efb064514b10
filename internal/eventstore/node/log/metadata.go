package eventlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// Metadata is the part of a stream's metadata that the log obeys. The zero value hides nothing.
type Metadata struct {
	MaxCount       int64         // 0: no limit
	MaxAge         time.Duration // 0: no limit
	TruncateBefore Revision
}

// deletedBefore is the TruncateBefore that says: deleted, until something is appended.
const deletedBefore Revision = math.MaxInt64

const metaPrefix = "$$"

// metastreams keep one visible event; their own metadata is not looked at.
var metastreamMetadata = Metadata{MaxCount: 1}

// baseOf is the stream whose metadata a metastream holds.
func baseOf(stream string) (base string, isMeta bool) {
	return strings.CutPrefix(stream, metaPrefix)
}

func (m Metadata) deleted() bool { return m.TruncateBefore == deletedBefore }

// firstVisible is the lowest revision that count and truncation leave visible.
func (m Metadata) firstVisible(last Revision) Revision {
	first := max(0, m.TruncateBefore)
	if m.MaxCount > 0 && last != TombstoneRevision {
		first = max(first, last-Revision(m.MaxCount)+1)
	}
	return first
}

// tooOld tells whether an event of that time is hidden by its age.
func (m Metadata) tooOld(created Ticks, now time.Time) bool {
	return m.MaxAge > 0 && now.Sub(created.Time()) > m.MaxAge
}

// parseMetadata reads what a metadata event says. Anything malformed is as if there were no metadata at all, also in a part that the
// log does not obey.
func parseMetadata(e Event) Metadata {
	if !e.JSON {
		return Metadata{}
	}
	keys := map[string]json.RawMessage{} // a struct's fields would match whatever the case
	if json.Unmarshal(e.Data, &keys) != nil || !plausibleACL(keys["$acl"]) {
		return Metadata{}
	}
	var maxCount, maxAge, truncateBefore, cacheControl int64
	for key, into := range map[string]*int64{
		"$maxCount": &maxCount, "$maxAge": &maxAge, "$tb": &truncateBefore, "$cacheControl": &cacheControl,
	} {
		if value, ok := keys[key]; ok && json.Unmarshal(value, into) != nil {
			return Metadata{}
		}
	}
	const longest = math.MaxInt64 / int64(time.Second)
	return Metadata{
		MaxCount:       max(0, maxCount),
		MaxAge:         time.Duration(min(max(0, maxAge), longest)) * time.Second,
		TruncateBefore: Revision(max(0, truncateBefore)),
	}
}

// plausibleACL tells whether an access control list has its form: the name of one, or lists of roles.
func plausibleACL(value json.RawMessage) bool {
	var named string
	if len(value) == 0 || json.Unmarshal(value, &named) == nil {
		return true
	}
	var lists map[string]json.RawMessage
	if json.Unmarshal(value, &lists) != nil {
		return false
	}
	for _, roles := range lists {
		var one string
		var many []string
		if json.Unmarshal(roles, &one) != nil && json.Unmarshal(roles, &many) != nil {
			return false
		}
	}
	return true
}

// deletedMetadata is what a deletion writes; it replaces all other metadata.
func deletedMetadata() []byte {
	return fmt.Appendf(nil, `{"$tb":%d}`, deletedBefore)
}

// truncatedMetadata is the metadata of a stream that begins again at first. All other keys stay as they are.
func truncatedMetadata(old []byte, first Revision) ([]byte, bool) {
	keys := map[string]json.RawMessage{}
	decoder := json.NewDecoder(bytes.NewReader(old))
	if err := decoder.Decode(&keys); err != nil || keys == nil {
		return nil, false
	}
	keys["$tb"] = fmt.Appendf(nil, "%d", first)
	data, err := json.Marshal(keys)
	return data, err == nil
}
