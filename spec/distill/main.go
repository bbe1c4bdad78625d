// SPDX-License-Identifier: Apache-2.0

// Command distill converts a checkout of the Matrix specification to spec/: one
// OpenAPI 3.1 document per API, one JSON Schema per event type, and the error
// codes. It removes descriptions, summaries and examples. It stops with an
// error at every unknown keyword, so that nothing is lost unnoticed.
//
//	go run ./spec/distill -from ../matrix-spec -to spec
package main

import (
	"flag"
	"log"
)

func main() {
	from := flag.String("from", "", "a checkout of the Matrix specification")
	to := flag.String("to", "spec", "the spec directory: its overlay/ is read, its VERSION, NOTICE and release folder are written")
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix("distill: ")
	if *from == "" {
		log.Fatal("-from names no checkout")
	}
	out, err := Distill(*from, *to+"/overlay")
	if err != nil {
		log.Fatal(err)
	}
	if err := out.Write(*to); err != nil {
		log.Fatal(err)
	}
}
