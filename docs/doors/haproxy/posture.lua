-- Asks the Step Posture Connector about the device of a request, and sets txn.posture: allowed, refused, or fault. The answer
-- is the status and the headers; everything but the two that are named here is a fault.

local socket = os.getenv("WEB_SOCKET")
local headers = { ["x-device-id"] = "posture_id", ["x-device-name"] = "posture_name", ["x-device-user"] = "posture_user", ["x-device-groups"] = "posture_groups" }

local function first(answer, name)
	return answer.headers and answer.headers[name] and answer.headers[name][0] or ""
end

core.register_action("posture", { "http-req" }, function(txn)
	-- Stays, where anything below fails.
	txn:set_var("txn.posture", "fault")
	local certificate = txn.f:ssl_c_der()
	if not certificate or certificate == "" then
		txn:set_var("txn.posture", "refused")
		return
	end
	-- HEAD: an answer without a body has an end.
	local answer = core.httpclient():head({
		url = "http://connector/door/http",
		dst = "unix@" .. socket,
		timeout = 5500,
		headers = {
			["x-client-cert"] = { txn.c:base64(certificate) },
			["x-question"] = { txn.f:uuid() },
		},
	})
	if not answer then
		return
	end
	if answer.status == 403 then
		txn:set_var("txn.posture", "refused")
	elseif answer.status == 200 and first(answer, "x-device-id") ~= "" then
		for name, variable in pairs(headers) do
			txn:set_var("txn." .. variable, first(answer, name))
		end
		txn:set_var("txn.posture", "allowed")
	end
end)
