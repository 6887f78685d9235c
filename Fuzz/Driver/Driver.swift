import Foundation
import FuzzReaders

// What libFuzzer calls. Scripts/fuzz.sh builds it with the fuzzer and sanitizers and says which reader it is for.

/// One thread calls: libFuzzer's.
nonisolated(unsafe) private var target: (reader: FuzzReader, scratch: FuzzScratch)?

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  let name = ProcessInfo.processInfo.environment["OCTNET_FUZZ_READER"] ?? ""
  guard let reader = FuzzReader(rawValue: name), reader.isAvailable else {
    say("OCTNET_FUZZ_READER: found \"\(name)\", expected one of \(FuzzReader.allCases.map(\.rawValue))")
    exit(64)
  }
  do {
    target = (reader, try FuzzScratch())
  } catch {
    say("no directory for files: \(error)")
    exit(1)
  }
  // The directory goes with the process.
  atexit { target = nil }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let target else { return 0 }
  target.reader.read(Array(UnsafeBufferPointer(start: data, count: size)), in: target.scratch)
  return 0
}

private func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
