public enum SHA256 { public static func hexDigest(of b: [UInt8]) -> String { "" } }
public enum AtomicFile { public static func write(_ b: [UInt8], to: String) throws {} }
