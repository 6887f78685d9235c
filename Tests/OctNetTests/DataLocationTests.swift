import Foundation
import OctNet
import Testing

/// A run's relative data are found beside it, whatever lies in the working directory.
struct DataLocationTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func make(_ names: String...) throws {
    for name in names {
      let path = directory(name)
      try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try AtomicFile.write("", to: path)
    }
  }

  /// A folder of several sets, of which one is asked for.
  @Test func setsOfAFolder() throws {
    try make("place/emnist/images", "place/runs/a/config.json")
    let run = directory("place/runs/a")
    for (source, found) in [
      ("idx:emnist#balanced", "idx:" + directory("place/emnist#balanced")),
      ("idx:emnist", "idx:" + directory("place/emnist")),
    ] {
      #expect(try DataLocation.resolve(source, recordedIn: run) == found)
      // Where it is there, it is taken as it is.
      #expect(try DataLocation.resolve(found, recordedIn: "/nowhere") == found)
    }
    #expect(throws: OctNetError.self) { try DataLocation.resolve("idx:mnist#balanced", recordedIn: run) }
  }

  @Test func patternsThatBeginWithAnything() throws {
    try make("place/train-0.tar", "place/val-0.tar", "place/parts/a/x-0.tar", "place/runs/a/config.json")
    let run = directory("place/runs/a")
    // The tests' working directory has files, but none of these.
    for pattern in ["{train,val}-*.tar", "*-0.tar", "parts/{a,b}/x-{0..1}.tar"] {
      #expect(
        try DataLocation.resolve("tar:" + pattern, recordedIn: run) == "tar:" + directory("place/" + pattern))
      let absolute = directory("place/" + pattern)
      #expect(try DataLocation.resolve("tar:" + absolute, recordedIn: run) == "tar:" + absolute)
    }
  }

  /// A run that cannot begin leaves nothing, indices of shards included.
  @Test func abandonedRunsLeaveNothing() throws {
    for isThere in [false, true] {
      let path = directory("run")
      if isThere { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
      let run = try RunDirectory.create(path)
      try make("run/shards/0.octidx")
      run.abandon()
      #expect(FileManager.default.fileExists(atPath: path) == isThere)
      if isThere { _ = try RunDirectory.create(path) }
    }
  }
}
