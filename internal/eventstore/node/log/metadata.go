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

// parseMetadata reads what a metadata event says. Anything malformed is as if there were no metadata at all.
func parseMetadata(e Event) Metadata {
	if !e.JSON {
		return Metadata{}
	}
	var stored struct {
		MaxCount       *int64 `json:"$maxCount"`
		MaxAge         *int64 `json:"$maxAge"`
		TruncateBefore *int64 `json:"$tb"`
	}
	if json.Unmarshal(e.Data, &stored) != nil {
		return Metadata{}
	}
	var m Metadata
	if stored.MaxCount != nil {
		m.MaxCount = max(0, *stored.MaxCount)
	}
	if stored.MaxAge != nil && *stored.MaxAge > 0 {
		const longest = math.MaxInt64 / int64(time.Second)
		m.MaxAge = time.Duration(min(*stored.MaxAge, longest)) * time.Second
	}
	if stored.TruncateBefore != nil {
		m.TruncateBefore = Revision(max(0, *stored.TruncateBefore))
	}
	return m
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
