package main

// relax emits a short rest for a goroutine that waits by looking.
func relax(f *file) {
	f.function("relax", "", 0, "tells the processor that the loop around it only waits.")
	for range 4 {
		f.p("PAUSE")
	}
	f.p("RET")
}

// relaxNEON is relax on arm64, where YIELD often does nothing; a barrier of instructions takes about as long as PAUSE.
func relaxNEON(f *file) {
	f.function("relax", "", 0, "tells the processor that the loop around it only waits.")
	f.p("ISB $15")
	f.p("RET")
}
