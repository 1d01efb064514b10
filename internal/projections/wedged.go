package projections

// What loops are called where they are said to be stuck: the one that leads, and for
// each schema, "" being the first of the URL's search_path, the one that folds into it
// and the one that reads the log for it.
const leadName = "projection " + inboxName

func foldName(schema string) string { return leadName + ofSchema(schema) + ": fold" }

func readName(schema string) string { return leadName + ofSchema(schema) + ": read" }

func ofSchema(schema string) string {
	if schema == "" {
		return ""
	}
	return " in " + schema
}
